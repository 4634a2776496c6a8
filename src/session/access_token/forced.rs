//! The bounds of forced refreshes, which all replicas share: WeChat takes 20 a day for each app, 30
//! seconds apart. Each one kills the token that others may use, so none is wasted.

use std::time::Duration;

use crate::session::store::{Key, Kind, Store, Unavailable};
use crate::wechat::app::App;

/// One more second than WeChat asks for: stores and clocks round.
pub(super) const PAUSE: Duration = Duration::from_secs(31);
const PER_DAY: u64 = 20;
const DAY: u64 = 86_400;
/// WeChat's days begin at midnight in Beijing, eight hours ahead of UTC.
const BEIJING: u64 = 8 * 3600;

/// Whether the app's token may be forced now; if so, it counts as done.
pub(super) async fn take(store: &dyn Store, app: &App, now: u64) -> Result<bool, Unavailable> {
    let appid = app.appid.as_str().as_bytes();
    let pause = Key::new(Kind::AccessTokenForced, &[appid, b"pause"]);
    if store.put_if_absent(&pause, b"1", PAUSE).await?.is_some() {
        return Ok(false);
    }
    let day = (now + BEIJING) / DAY;
    let today = Key::new(Kind::AccessTokenForced, &[appid, b"day", &day.to_be_bytes()]);
    Ok(store.increment(&today, Duration::from_secs(DAY)).await? <= PER_DAY)
}
