# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The proxy's own certificate authority: real TLS over real sockets, by clients that trust it alone."""

import asyncio
import datetime
import plistlib
import shutil
import ssl
import subprocess

import aiohttp
import pytest
from proxy_shop import ORIGIN, client, free_port, is_closed, on_paper, paper, run, shop

pytest.importorskip("ifaddr", reason="the package ifaddr is not installed")
x509 = pytest.importorskip("cryptography.x509", reason="the package cryptography is not installed")
from pos_hardware_proxy import certificates, serve  # noqa: E402
from pos_hardware_proxy.addresses import local_addresses, machine_name  # noqa: E402
from pos_hardware_proxy.config import Config  # noqa: E402
from pos_hardware_proxy.security import CannotStart  # noqa: E402

DAY = datetime.timedelta(days=1)
ELSEWHERE = {"X-Forwarded-For": "10.0.0.9"}  # as from another machine


def secure(**settings):
    return {"tls": True, "plain_port": 0, **settings}


async def is_trusted(place, pem, name="127.0.0.1"):
    """Whether a client with the authority ``pem`` would send anything to the proxy, called by ``name``."""
    async with client(pem) as session:
        try:
            async with session.get(f"{place.url}/health", server_hostname=name) as response:
                return response.status == 200
        except aiohttp.ClientConnectorCertificateError:
            return False


async def shown(place):
    """The certificate that a new connection is shown."""
    context = ssl.create_default_context(cadata=place.certificates.pem.decode())
    _reader, writer = await asyncio.open_connection("127.0.0.1", place.port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(der)


def names_of(certificate):
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


# -- who trusts it ---------------------------------------------------------------------------------
def test_a_till_with_the_certificate_prints(tmp_path):
    """By every address and name of this machine; without the certificate, or by another name, nobody does."""

    async def story():
        async with shop(tmp_path / "a", settings=secure(hosts=("till1.shop.example",))) as place:
            assert (await place.till.print(paper()))["state"] == "printed"
            assert on_paper(place.devices["receipt"][0]) == [paper()]
            own = {str(address) for address in local_addresses()} | {machine_name(), "localhost", "till1.shop.example"}
            for name in sorted(own):
                assert await is_trusted(place, place.certificates.pem, name), name
            for name in ("erp.example.jp", "shop.example", "10.254.253.252"):
                assert not await is_trusted(place, place.certificates.pem, name), name
            async with aiohttp.ClientSession() as ordinary:
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await ordinary.get(f"{place.url}/health")
            async with shop(tmp_path / "b", settings=secure()) as other:
                assert not await is_trusted(place, other.certificates.pem)
                assert await is_trusted(other, other.certificates.pem)

    run(story())


def test_the_authority_is_good_for_nothing_else(tmp_path):
    """Whoever steals its key cannot play somebody else's web server with it."""
    own = certificates.Certificates(Config(state=tmp_path, tls=True))
    trust = ssl.create_default_context(cadata=own.pem.decode())

    async def is_taken(name):
        certificates._new_server(own.authority, {name}).save(tmp_path / "stolen.pem")
        thief = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        thief.load_cert_chain(tmp_path / "stolen.pem")
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=thief)
        async with server:
            port = server.sockets[0].getsockname()[1]
            try:
                _reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=name)
            except ssl.SSLCertVerificationError as error:
                assert "permitted subtree" in str(error)
                return False
            writer.close()
            return True

    async def story():
        assert [name for name in ("bank.example", "8.8.8.8", "2001:db8::1", "notlocal") if await is_taken(name)] == []
        assert await is_taken("till9.local") and await is_taken("192.168.250.1")

    run(story())


def test_another_program_finds_the_chain_right(tmp_path):
    openssl = shutil.which("openssl") or pytest.skip("no openssl here")
    own = certificates.Certificates(Config(state=tmp_path, tls=True))
    (tmp_path / "ca.pem").write_bytes(own.pem)
    for check in (["-verify_ip", "127.0.0.1"], ["-verify_hostname", machine_name()]):
        arguments = ["verify", "-x509_strict", "-purpose", "sslserver", *check, "-CAfile", tmp_path / "ca.pem"]
        done = subprocess.run([openssl, *arguments, tmp_path / "server.pem"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


# -- its files -------------------------------------------------------------------------------------
def test_keys_are_for_their_user_only(tmp_path):
    certificates.Certificates(Config(state=tmp_path, tls=True))
    for name in ("authority.pem", "server.pem"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert b"PRIVATE KEY" in (tmp_path / name).read_bytes()


def test_a_proxy_started_again_keeps_its_authority(tmp_path):
    async def story():
        async with shop(tmp_path, settings=secure()) as place:
            pem, server = place.certificates.pem, await shown(place)
            await place.close()
            await place.open()
            assert place.certificates.pem == pem and await is_trusted(place, pem)
            assert await shown(place) == server
            await place.close()
            (tmp_path / "server.pem").write_text("half a fi")
            await place.open()
            assert await is_trusted(place, pem) and await shown(place) != server

    run(story())


def test_a_damaged_authority_is_said(tmp_path):
    """Not replaced in silence: every till would have to be visited."""
    config = Config(state=tmp_path, tls=True)
    certificates.Certificates(config)
    (tmp_path / "authority.pem").write_text("half a fi")
    with pytest.raises(CannotStart, match="authority.pem is damaged"):
        certificates.Certificates(config)


def test_a_clock_that_was_never_set_makes_no_authority(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "BUILT", datetime.date.today() + DAY)
    with pytest.raises(CannotStart, match="clock"):
        certificates.Certificates(Config(state=tmp_path, tls=True))
    assert not (tmp_path / "authority.pem").exists()


# -- its time --------------------------------------------------------------------------------------
def test_how_long_certificates_last(tmp_path):
    own = certificates.Certificates(Config(state=tmp_path, tls=True))
    server, authority = own.server.certificate, own.authority.certificate
    assert server.not_valid_after_utc - server.not_valid_before_utc <= 398 * DAY
    assert 9 * 365 * DAY < authority.not_valid_after_utc - authority.not_valid_before_utc < 11 * 365 * DAY
    assert not own.renew()  # it is new


def test_the_certificate_is_renewed_while_it_runs(tmp_path, monkeypatch):
    """When it nears its end and when the machine gets an address; who has the authority notices nothing."""
    monkeypatch.setattr(serve, "KEEP_S", 0.05)

    async def changed(place, before):
        while (now := await shown(place)) == before:
            await asyncio.sleep(0.05)
        return now

    async def story():
        async with shop(tmp_path, settings=secure()) as place:
            first, pem = await shown(place), place.certificates.pem
            with monkeypatch.context() as soon:
                soon.setattr(certificates, "RENEW_DAYS", 398)
                second = await changed(place, first)
            addresses = local_addresses() + [certificates.ipaddress.ip_address("10.9.8.7")]
            monkeypatch.setattr(certificates, "local_addresses", lambda: addresses)
            while "10.9.8.7" not in names_of(await shown(place)):
                await asyncio.sleep(0.05)
            assert "10.9.8.7" not in names_of(second)
            assert place.certificates.pem == pem and await is_trusted(place, pem, "10.9.8.7")
            assert (await place.till.print(paper()))["state"] == "printed"

    run(story())


def test_a_full_disk_stops_no_till(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(serve, "KEEP_S", 0.05)

    async def story():
        async with shop(tmp_path, settings=secure()) as place:

            def full(_path, _data):
                raise OSError(28, "No space left on device")

            monkeypatch.setattr(certificates, "write_private", full)
            monkeypatch.setattr(certificates, "RENEW_DAYS", 398)
            while caplog.text.count("could not be made anew") < 2:
                await asyncio.sleep(0.05)
            assert await is_trusted(place, place.certificates.pem)

    run(story())


def test_an_address_the_authority_may_not_certify_is_left_out(tmp_path, monkeypatch):
    own = certificates.Certificates(Config(state=tmp_path, tls=True))
    public = certificates.ipaddress.ip_address("8.8.8.8")
    monkeypatch.setattr(certificates, "local_addresses", lambda: [*local_addresses(), public])
    own.renew()
    assert own.uncovered == ("8.8.8.8",) and "8.8.8.8" not in names_of(own.server.certificate)
    assert not own.renew()  # nor is it made anew for ever


# -- lines that never come to TLS --------------------------------------------------------------------
async def asks(place, source="127.0.0.1"):
    """Whether a till at that address gets an answer."""
    trust = ssl.create_default_context(cadata=place.certificates.pem.decode())
    connector = aiohttp.TCPConnector(ssl=trust, local_addr=(source, 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            async with session.get(f"{place.url}/hw_proxy/hello") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


def test_silent_lines_are_counted_from_their_first_moment(tmp_path, monkeypatch):
    """Who opens many without a word takes them from himself only, and has them again when he hangs up."""
    monkeypatch.setattr(serve, "PER_ADDRESS", 4)
    monkeypatch.setattr(serve, "ALTOGETHER", 8)
    monkeypatch.setattr(serve, "HANDSHAKE_S", 600.0)

    async def story():
        async with shop(tmp_path, settings=secure()) as place:
            lines = [await asyncio.open_connection("127.0.0.1", place.port) for _number in range(20)]
            ended = await asyncio.gather(*(is_closed(reader) for reader, _writer in lines[4:]))
            assert all(ended) and not any(reader.at_eof() for reader, _writer in lines[:4])
            assert await asks(place, "127.0.0.2") and not await asks(place)
            for _reader, writer in lines:
                writer.close()
            while not await asks(place):
                await asyncio.sleep(0.05)

    run(story())


@pytest.mark.parametrize("beginning", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"])
def test_lines_that_do_not_come_to_tls_are_closed(tmp_path, monkeypatch, beginning):
    monkeypatch.setattr(serve, "PER_ADDRESS", 1)
    monkeypatch.setattr(serve, "HANDSHAKE_S", 0.5)

    async def story():
        async with shop(tmp_path, settings=secure()) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.write(beginning)
            while not reader.at_eof() and reader.exception() is None:
                await asyncio.sleep(0.05)
            while not await asks(place):
                await asyncio.sleep(0.05)
            writer.close()

    run(story())


def test_the_proxy_ends_though_somebody_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "HANDSHAKE_S", 600.0)

    async def story():
        async with shop(tmp_path, settings=secure()) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            assert await asks(place)
        assert await is_closed(reader)
        writer.close()

    run(story())


def test_a_request_that_comes_with_the_end_of_the_handshake(tmp_path):
    async def story():
        async with shop(tmp_path, settings=secure()) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            trust = ssl.create_default_context(cadata=place.certificates.pem.decode())
            line = trust.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")

            async def through(step, *arguments):
                while True:
                    try:
                        return step(*arguments)
                    except ssl.SSLWantReadError:
                        writer.write(outgoing.read())
                        incoming.write(await reader.read(65536))

            await through(line.do_handshake)
            line.write(b"GET /hw_proxy/hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (await through(line.read)).startswith(b"HTTP/1.1 200")
            writer.close()

    run(story())


# -- how a till gets it ----------------------------------------------------------------------------
def test_the_plain_port_gives_the_certificate_and_nothing_else(tmp_path):
    async def story():
        port = free_port()
        async with shop(tmp_path, settings=secure(plain_port=port, without_token=True)) as place:
            plain, own = f"http://127.0.0.1:{port}", place.certificates

            async def get(path, headers=ELSEWHERE):
                async with place.session.get(plain + path, headers=headers, allow_redirects=False) as response:
                    return response.status, response.content_type, await response.read()

            assert await get("/ca.crt") == (200, "application/x-x509-ca-cert", own.der)
            assert await get("/ca.pem") == (200, "application/x-pem-file", own.pem)
            status, kind, profile = await get("/ca.mobileconfig")
            assert (status, kind) == (200, "application/x-apple-aspen-config")
            assert plistlib.loads(profile)["PayloadContent"][0]["PayloadContent"] == own.der
            for language, words in (("ja", ("各レジに", "指紋")), ("en", ("each till", "Fingerprint"))):
                status, _kind, page = await get(f"/install?lang={language}")
                told = (*words, own.fingerprint, f"{own.server.end:%Y-%m-%d}", f"{own.authority.end:%Y-%m-%d}")
                assert status == 200 and all(text in page.decode() for text in told)
            assert (await get("/"))[0] == 302
            for path in ("/health", "/scans", "/hw_proxy/hello"):
                status, _kind, answer = await get(path)
                assert status == 403 and b'"tls"' in answer
            headers = {"Origin": ORIGIN, "Content-Type": "application/json", **ELSEWHERE}
            async with place.session.put(f"{plain}/jobs/job-00001", headers=headers) as response:
                assert (response.status, (await response.json())["code"]) == (403, "tls")
            for path in ("/", "/health"):
                assert (await get(path, {}))[0] == 200  # on the machine itself

    run(story())


def test_without_tls_there_is_no_certificate(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            for path in ("/ca.crt", "/ca.pem", "/ca.mobileconfig", "/install"):
                async with place.session.get(place.url + path) as response:
                    assert response.status == 404
            assert not (tmp_path / "authority.pem").exists()

    run(story())


def test_the_fingerprint_is_the_one_others_compute(tmp_path):
    openssl = shutil.which("openssl") or pytest.skip("no openssl here")
    own = certificates.Certificates(Config(state=tmp_path, tls=True))
    (tmp_path / "ca.pem").write_bytes(own.pem)
    arguments = ["x509", "-in", tmp_path / "ca.pem", "-noout", "-fingerprint", "-sha256"]
    told = subprocess.run([openssl, *arguments], capture_output=True, text=True, check=True).stdout
    assert told.strip().rpartition("=")[2] == own.fingerprint
