//! What a `profile` route does with a nickname and an avatar.

/// The keys of a route whose action is `profile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRules {
    /// What happens where WeChat says neither that it passes nor that it is risky.
    pub on_review: OnReview,
    /// What happens while WeChat's check does not answer.
    pub on_check_outage: OnCheckOutage,
    /// Where the upstream shows avatars to the public: a URL with `{name}` in it exactly once.
    pub avatar_url: Option<String>,
    /// The largest avatar in bytes.
    pub avatar_size: u64,
}

impl Default for ProfileRules {
    fn default() -> Self {
        Self {
            on_review: OnReview::Pass,
            on_check_outage: OnCheckOutage::Deny,
            avatar_url: None,
            avatar_size: 1 << 20,
        }
    }
}

/// The `on_review` of a `profile` route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReview {
    /// It is forwarded.
    Pass,
    /// It is refused like risky content.
    Deny,
}

/// The `on_check_outage` of a `profile` route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCheckOutage {
    /// 503 until the check answers again.
    Deny,
    /// It is forwarded unchecked.
    Allow,
}
