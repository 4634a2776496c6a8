//! Which program the servers of the tests are.

use std::path::{Path, PathBuf};

/// redis-server, or the one that is named by `WXGATE_TESTS_REDIS_SERVER`, on which all tests run then.
pub(crate) fn redis() -> PathBuf {
    std::env::var_os("WXGATE_TESTS_REDIS_SERVER").unwrap_or_else(|| "redis-server".into()).into()
}

/// valkey-server, as the system has it or `scripts/install-valkey` has left it.
pub(crate) fn valkey() -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/valkey/usr/bin");
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .chain([unpacked])
        .map(|folder| folder.join("valkey-server"))
        .find(|program| program.exists())
}
