//! The PROXY protocol: the first bytes of a connection, by which a proxy that passes on bytes and not
//! requests says whom it stands for. Versions 1 and 2, read strictly.
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What version 2 begins with, and as many bytes as version 1 has at least.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its CRLF.
const LONGEST_LINE: usize = 107;
/// The addresses of version 2 and what follows them; the document asks for 520 bytes at least, and
/// those who pass on names and certificates' subjects need more.
const LONGEST_BLOCK: usize = 4 << 10;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// The client that the proxy names; none where the connection is the proxy's own, as in its health
/// checks, or where it does not know.
type Client = Option<SocketAddr>;

/// Why the bytes are no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoHeader {
    #[error("it does not begin with a PROXY header")]
    Missing,
    #[error("its PROXY header is malformed")]
    Malformed,
    #[error("its PROXY header is too long")]
    TooLong,
    #[error(transparent)]
    Broken(#[from] std::io::Error),
}

/// Reads the header, and no byte more.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Client, NoHeader> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        return read_v2(stream).await;
    }
    if !start.starts_with(b"PROXY ") {
        return Err(NoHeader::Missing);
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\n") {
        if line.len() == LONGEST_LINE {
            return Err(NoHeader::TooLong);
        }
        line.push(stream.read_u8().await?);
    }
    v1(&line).ok_or(NoHeader::Malformed)
}

async fn read_v2(stream: &mut (impl AsyncRead + Unpin)) -> Result<Client, NoHeader> {
    let [command, family] = [stream.read_u8().await?, stream.read_u8().await?];
    let length: usize = stream.read_u16().await?.into();
    if length > LONGEST_BLOCK {
        return Err(NoHeader::TooLong);
    }
    let mut block = vec![0; length];
    stream.read_exact(&mut block).await?;
    v2(command, family, &block).ok_or(NoHeader::Malformed)
}

/// `PROXY TCP4 192.0.2.1 192.0.2.9 56324 443`: one space between the parts, no leading zeros.
fn v1(line: &[u8]) -> Option<Client> {
    let line = str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let mut parts = line.split(' ');
    if parts.next() != Some("PROXY") {
        return None;
    }
    let family = parts.next()?;
    if family == "UNKNOWN" {
        // What follows is to be ignored.
        return Some(None);
    }
    let [source, destination, port, destination_port] =
        [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let (port, _) = (v1_port(port)?, v1_port(destination_port)?);
    let source: IpAddr = match family {
        "TCP4" => both::<Ipv4Addr>(source, destination)?.into(),
        "TCP6" => both::<Ipv6Addr>(source, destination)?.into(),
        _ => return None,
    };
    parts.next().is_none().then_some(Some((source, port).into()))
}

/// The source where both are addresses of the family.
fn both<T: std::str::FromStr>(source: &str, destination: &str) -> Option<T> {
    destination.parse::<T>().ok()?;
    source.parse().ok()
}

fn v1_port(text: &str) -> Option<u16> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    (decimal && !padded).then(|| text.parse().ok()).flatten()
}

/// The version and command, the family and transport, and the block of the length that was announced.
/// What follows the addresses in it is skipped. Families that are none of ours count as not known.
fn v2(command: u8, family: u8, block: &[u8]) -> Option<Client> {
    let client = match family {
        0x11 => Some(v2_addresses::<4>(block)?),
        0x21 => Some(v2_addresses::<16>(block)?),
        // Not known; datagrams; unix sockets.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => None,
        _ => return None,
    };
    match command {
        PROXY => Some(client),
        LOCAL => Some(None),
        _ => None,
    }
}

/// Two addresses of `N` bytes, then two ports.
fn v2_addresses<const N: usize>(block: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let source: [u8; N] = block.get(..N)?.try_into().ok()?;
    let ports: [u8; 4] = block.get(2 * N..2 * N + 4)?.try_into().ok()?;
    let [high, low, ..] = ports;
    Some((IpAddr::from(source), u16::from_be_bytes([high, low])).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What came out, and what is left to be read.
    fn parsed(bytes: &[u8]) -> (Result<Client, NoHeader>, Vec<u8>) {
        let mut rest = bytes;
        let read = futures_util::FutureExt::now_or_never(read(&mut rest));
        (read.expect("a slice never waits"), rest.to_vec())
    }

    fn is(bytes: &[u8], client: &str) -> bool {
        let expected = (!client.is_empty()).then(|| client.parse().unwrap());
        let (read, rest) = parsed(&[bytes, b"GET /"].concat());
        read.is_ok_and(|read| read == expected) && rest == b"GET /"
    }

    fn v2_bytes(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, block].concat()
    }

    const TCP4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 9, 0xDC, 0x04, 1, 0xBB];

    #[test]
    fn version_1_names_the_client() {
        assert!(is(b"PROXY TCP4 192.0.2.1 192.0.2.9 56324 443\r\n", "192.0.2.1:56324"));
        assert!(is(b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "[2001:db8::1]:1"));
        assert!(is(b"PROXY UNKNOWN\r\n", ""));
        assert!(is(b"PROXY UNKNOWN ffff:f::1 whatever it is\r\n", ""));
        let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let line = format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n");
        assert!(is(line.as_bytes(), &format!("[{longest}]:65535")));
    }

    #[test]
    fn version_2_names_the_client() {
        assert!(is(&v2_bytes(PROXY, 0x11, &TCP4), "192.0.2.1:56324"));
        let mut tcp6 = [0; 36];
        (tcp6[15], tcp6[33]) = (1, 7);
        assert!(is(&v2_bytes(PROXY, 0x21, &tcp6), "[::1]:7"));
        let with_values = [&TCP4[..], &[0x20, 0, 2, 1, 2]].concat();
        assert!(is(&v2_bytes(PROXY, 0x11, &with_values), "192.0.2.1:56324"));
    }

    #[test]
    fn what_names_nobody_keeps_the_peer() {
        assert!(is(&v2_bytes(LOCAL, 0x11, &TCP4), ""));
        assert!(is(&v2_bytes(LOCAL, 0, &[]), ""));
        assert!(is(&v2_bytes(PROXY, 0, &[]), ""));
        assert!(is(&v2_bytes(PROXY, 0x31, &[0; 216]), ""));
    }

    #[test]
    fn what_is_garbled_is_refused() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.1 192.0.2.9 1 2\r\n",
            "PROXY  TCP4 192.0.2.1 192.0.2.9 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 1 2\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 1 2 3\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 1\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 01 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.9 65536 2\r\n",
            "PROXY TCP4 192.0.2.01 192.0.2.9 1 2\r\n",
            "PROXY TCP4 192.0.2.1 x 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.9 1 2\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.9 1 2\r\n",
            "PROXY TCP4\t192.0.2.1 192.0.2.9 1 2\r\n",
        ] {
            assert!(parsed(line.as_bytes()).0.is_err(), "{line:?}");
        }
        for bytes in [
            v2_bytes(0x11, 0x11, &TCP4),
            v2_bytes(0x22, 0x11, &TCP4),
            v2_bytes(PROXY, 0x41, &TCP4),
            v2_bytes(PROXY, 0x13, &TCP4),
            v2_bytes(PROXY, 0x11, &TCP4[..11]),
            v2_bytes(PROXY, 0x21, &TCP4),
            v2_bytes(PROXY, 0x11, &[0; LONGEST_BLOCK + 1]),
        ] {
            assert!(parsed(&bytes).0.is_err(), "{bytes:?}");
        }
        let endless = [b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat();
        assert!(matches!(parsed(&endless).0, Err(NoHeader::TooLong)));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>, v2 in any::<bool>()) {
            let start: &[u8] = if v2 { &SIGNATURE } else { b"PROXY " };
            let _ = parsed(&[start, &bytes].concat());
        }

        #[test]
        fn every_client_comes_out_as_it_went_in(client: SocketAddr, other: SocketAddr) {
            let client = SocketAddr::new(client.ip(), client.port());
            let (family, other) = match (client.ip(), other.port()) {
                (IpAddr::V4(_), port) => ("TCP4", SocketAddr::from(([9, 9, 9, 9], port))),
                (IpAddr::V6(_), port) => ("TCP6", SocketAddr::from(([9; 16], port))),
            };
            let ports = format!("{} {}", client.port(), other.port());
            let line = format!("PROXY {family} {} {} {ports}\r\n", client.ip(), other.ip());
            prop_assert!(is(line.as_bytes(), &client.to_string()), "{}", line);
            let mut block = Vec::new();
            for ip in [client.ip(), other.ip()] {
                match ip {
                    IpAddr::V4(ip) => block.extend(ip.octets()),
                    IpAddr::V6(ip) => block.extend(ip.octets()),
                }
            }
            block.extend([client.port().to_be_bytes(), other.port().to_be_bytes()].concat());
            let family = if client.is_ipv4() { 0x11 } else { 0x21 };
            prop_assert!(is(&v2_bytes(PROXY, family, &block), &client.to_string()));
        }
    }
}
