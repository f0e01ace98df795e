# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""TLS without anybody's subscription: a certificate authority of this shop alone, and what it certifies.

The authority is made at the first start and installed by hand on each till. Should its key be stolen, it is good for
nothing but private addresses and local names. The server's certificate is short-lived, as Safari wants it; it is made
anew by itself before it ends, and when this machine gets another address.
"""

import datetime
import hashlib
import ipaddress
import logging
import plistlib
import ssl
import uuid
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .addresses import local_addresses, machine_name
from .security import CannotStart, write_private

_logger = logging.getLogger(__name__)
AUTHORITY_DAYS, SERVER_DAYS = 3652, 397  # Safari takes no server's certificate of more than 398 days
RENEW_DAYS = 60
BUILT = datetime.date(2026, 11, 1)  # it is later than that
EARLY = datetime.timedelta(hours=12)  # a till's clock may be behind
NAMES = ("local", "localhost", "lan", "internal", "home.arpa")  # with all that ends so
NETWORKS = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip


def wanted_names(config):
    """What a till may call this proxy: a set of texts."""
    return {str(address) for address in local_addresses()} | {"localhost", machine_name(), *config.hosts}


@dataclass
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, path):
        """:raises CannotStart: the file is damaged"""
        data = path.read_bytes()
        try:
            return cls(x509.load_pem_x509_certificate(data), serialization.load_pem_private_key(data, None))
        except ValueError:
            raise CannotStart(f"{path} is damaged. Bring it back from a backup, or move it away.") from None

    def save(self, path):
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        key = self.key.private_bytes(serialization.Encoding.PEM, *private)
        write_private(path, key + self.certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def end(self):
        return self.certificate.not_valid_after_utc


class Certificates:
    """The authority and the server's certificate, in two files that only the proxy's user can read.

    :param config: :class:`~.config.Config`
    :raises CannotStart: the authority is damaged, or cannot be made now
    """

    def __init__(self, config):
        self.config = config
        self._file = config.state / "authority.pem"
        self._server_file = config.state / "server.pem"
        if self._file.exists():
            self.authority = Pair.load(self._file)
        else:
            self.authority = _new_authority(config)
            self.authority.save(self._file)
        self.server, self.uncovered = None, ()
        # A server's file that is damaged is no loss: another is made.
        if self._server_file.exists():
            try:
                self.server = Pair.load(self._server_file)
            except CannotStart as error:
                _logger.warning("%s A new one is made.", error)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.renew():
            self.context.load_cert_chain(self._server_file)

    def renew(self):
        """Make the server's certificate anew when it is time; whether it was. New connections get the new one."""
        wanted = wanted_names(self.config)
        covered = {name for name in wanted if _covers(self.authority.certificate, name)}
        self.uncovered = tuple(sorted(wanted - covered))
        if self.server and not self._is_due(covered):
            return False
        if self.uncovered:
            _logger.warning("The certificate is not for %s: no private address or local name.", self.uncovered)
        self.server = _new_server(self.authority, covered)
        self.server.save(self._server_file)
        self.context.load_cert_chain(self._server_file)
        return True

    def _is_due(self, names):
        now = datetime.datetime.now(datetime.UTC)
        certificate = self.server.certificate
        in_time = certificate.not_valid_before_utc <= now
        # Near the authority's own end nothing longer can be had.
        ends = self.server.end < self.authority.end and self.server.end - now < datetime.timedelta(days=RENEW_DAYS)
        return not self._is_ours(certificate) or not in_time or ends or names != _names_of(certificate)

    def _is_ours(self, certificate):
        try:
            certificate.verify_directly_issued_by(self.authority.certificate)
        except (ValueError, InvalidSignature):
            return False
        return True

    # -- for people --------------------------------------------------------------------------
    @property
    def der(self):
        return self.authority.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self):
        return self.authority.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self):
        """SHA-256 of the authority, as browsers show it."""
        return hashlib.sha256(self.der).digest().hex(":").upper()

    def profile(self):
        """The authority as a configuration profile for iPad, iPhone and macOS."""
        name = self.authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        one, two = (str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.fingerprint}/{n}")).upper() for n in range(2))
        common = {"PayloadVersion": 1, "PayloadDisplayName": name}
        root = {
            **common,
            "PayloadType": "com.apple.security.root",
            "PayloadIdentifier": f"pos-hardware-proxy.{one}",
            "PayloadUUID": one,
            "PayloadContent": self.der,
        }
        profile = {
            **common,
            "PayloadType": "Configuration",
            "PayloadIdentifier": f"pos-hardware-proxy.{two}",
            "PayloadUUID": two,
            "PayloadContent": [root],
        }
        return plistlib.dumps(profile)


def _alt(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(certificate):
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def _covers(authority, name):
    """Whether the authority may certify ``name``."""
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    return _permits(constraints.permitted_subtrees, name)


def _rule(alt):
    return x509.IPAddress(ipaddress.ip_network(alt.value)) if isinstance(alt, x509.IPAddress) else alt


def _permits(permitted, name):
    value = _alt(name).value
    if isinstance(value, str):
        names = [rule.value for rule in permitted if isinstance(rule, x509.DNSName)]
        return any(value == name or value.endswith(f".{name}") for name in names)
    networks = [rule.value for rule in permitted if isinstance(rule, x509.IPAddress)]
    return any(value.version == network.version and value in network for network in networks)


def _new_authority(config):
    """An authority for private addresses, local names, and what this machine is called today.

    :raises CannotStart: the clock was never set, so nobody can say when the certificate ends
    """
    if datetime.date.today() < BUILT:
        raise CannotStart(f"The clock of this machine says {datetime.date.today()}. Set it, and start again.")
    permitted = [x509.DNSName(name) for name in NAMES] + [
        x509.IPAddress(ipaddress.ip_network(network)) for network in NETWORKS
    ]
    permitted += [_rule(_alt(name)) for name in sorted(wanted_names(config)) if not _permits(permitted, name)]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{config.name[:48]} CA {datetime.date.today():%Y-%m-%d}")
    usage = dict.fromkeys(USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
    certificate = (
        _builder(subject, subject, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def _new_server(authority, names):
    """A certificate for ``names``, ending before the authority does."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = dict.fromkeys(USAGES, False) | {"digital_signature": True}
    issuer = authority.certificate
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(_subject(machine_name()), issuer.subject, key.public_key(), SERVER_DAYS, latest=authority.end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alt(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Pair(certificate, key)


USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(subject, issuer, key, days, latest=None):
    begin = datetime.datetime.now(datetime.UTC) - EARLY
    end = begin + datetime.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(min(end, latest) if latest else end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
