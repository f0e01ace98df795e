-- A copy of the database must never talk to a real shop.
UPDATE bridge_channel_setting SET value = NULL;
UPDATE bridge_channel SET state = 'paused', token = md5(random()::text || id::text) WHERE state NOT IN ('draft', 'paused');
