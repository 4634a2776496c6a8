//! An object of JSON written straight into its text. serde would go through a value or a visitor for each
//! line, and the formatting of the standard library through a table of functions for each number.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// `,"name":`, put together by the compiler.
macro_rules! member {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(super) use member;

/// The members of an object that has begun.
pub(super) struct Json<'a>(pub(super) &'a mut String);

impl Json<'_> {
    pub(super) fn text(&mut self, member: &str, value: &str) {
        self.0.push_str(member);
        self.0.push('"');
        escape(value, self.0);
        self.0.push('"');
    }

    pub(super) fn optional(&mut self, member: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(member, value);
        }
    }

    pub(super) fn ip(&mut self, member: &str, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.0.push_str(member);
            self.0.push('"');
            write_ip(address, self.0);
            self.0.push('"');
        }
    }

    pub(super) fn socket(&mut self, member: &str, address: Option<SocketAddr>) {
        if let Some(address) = address {
            self.0.push_str(member);
            // A String takes everything.
            let _ = write!(self.0, "\"{address}\"");
        }
    }

    pub(super) fn number(&mut self, member: &str, value: impl itoa::Integer) {
        self.0.push_str(member);
        write_number(value, self.0);
    }

    /// To the microsecond.
    pub(super) fn milliseconds(&mut self, member: &str, value: Option<Duration>) {
        if let Some(value) = value {
            let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
            self.number(member, micros / 1_000);
            self.0.push('.');
            write_thousandths(micros, self.0);
        }
    }
}

pub(super) fn write_number(number: impl itoa::Integer, text: &mut String) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// The last three digits of a number, all of them.
pub(super) fn write_thousandths(number: u64, text: &mut String) {
    let digits = [number / 100 % 10, number / 10 % 10, number % 10];
    text.extend(digits.map(|digit| char::from(b'0' + digit as u8)));
}

/// In hexadecimal.
pub(super) fn write_hex(bytes: &[u8], text: &mut String) {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    for byte in bytes {
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
}

fn write_ip(address: IpAddr, text: &mut String) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            write_number(first, text);
            for octet in rest {
                text.push('.');
                write_number(octet, text);
            }
        }
        // A String takes everything.
        IpAddr::V6(address) => drop(write!(text, "{address}")),
    }
}

/// RFC 8259, and whatever could steer a terminal.
fn escape(value: &str, text: &mut String) {
    // All of it is looked at whatever is found, so that the compiler can do that for many bytes at once.
    let special = |byte: u8| !matches!(byte, b' '..=b'~') | matches!(byte, b'"' | b'\\');
    if !value.bytes().fold(false, |found, byte| found | special(byte)) {
        return text.push_str(value);
    }
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_addresses_are_written_as_the_standard_library_writes_them() {
        for micros in [0, 1, 999, 1_000, 12_045, 987_654_321] {
            let mut line = String::new();
            let duration = Duration::from_micros(micros);
            Json(&mut line).milliseconds(member!("a"), Some(duration));
            assert_eq!(line, format!(",\"a\":{}.{:03}", micros / 1_000, micros % 1_000));
        }
        for address in ["0.0.0.0", "203.0.113.9", "255.255.255.255", "::1", "2001:db8::a"] {
            let mut line = String::new();
            Json(&mut line).ip(member!("a"), address.parse().ok());
            assert_eq!(line, format!(",\"a\":\"{address}\""));
        }
        let mut line = String::new();
        write_hex(&[0x00, 0x9f, 0xf9, 0xab], &mut line);
        assert_eq!(line, "009ff9ab");
    }

    proptest! {
        #[test]
        fn ses_06_whatever_is_in_it_a_line_is_one_line_of_json(text in "\\PC*|[\\x00-\\x9f]*") {
            let mut line = String::from("{\"a\":1");
            Json(&mut line).text(member!("b"), &text);
            line.push('}');
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read["b"].as_str(), Some(text.as_str()));
        }
    }
}
