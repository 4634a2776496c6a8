//! What time it is at WeChat.

use std::time::UNIX_EPOCH;

use http::header::DATE;

use super::Client;

impl Client {
    /// The `Date` of an answer, in seconds since 1970; none where there is no answer.
    pub async fn date(&self) -> Option<u64> {
        let request = self.http.get(self.settings.base_url.to_string());
        let answer = request.timeout(self.settings.timeout).send().await.ok()?;
        let date = answer.headers().get(DATE)?.to_str().ok()?;
        let time = httpdate::parse_http_date(date).ok()?;
        Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
    }
}
