-- A copy of the database must never talk to a real shop.
UPDATE bridge_channel_setting SET value = NULL;
UPDATE bridge_channel SET state = 'paused', token = md5(random()::text || id::text) WHERE state NOT IN ('draft', 'paused');
-- Nor print in one: its tills hold no key any more.
UPDATE bridge_hardware_proxy SET secret = NULL, offered_secret = NULL;
