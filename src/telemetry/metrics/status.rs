//! The class of a status: few enough for a label.

/// What kind of an end a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// No status was sent: the client was gone.
    None,
    /// 1xx: a tunnel.
    Informational,
    /// 2xx.
    Success,
    /// 3xx.
    Redirection,
    /// 4xx.
    ClientError,
    /// 5xx, and what is no status at all.
    ServerError,
}

impl StatusClass {
    /// How many there are.
    pub const COUNT: usize = Self::LABELS.len();
    /// Their labels, in their order.
    pub const LABELS: [&'static str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

    /// The class of a status; 0 is none.
    pub fn of(status: u16) -> Self {
        match status {
            0 => Self::None,
            1..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            _ => Self::ServerError,
        }
    }

    /// Its label.
    pub fn label(self) -> &'static str {
        Self::LABELS.get(self as usize).copied().unwrap_or_default()
    }
}
