//! `open-data`, and `phone` by encryptedData and iv: what WeChat sealed for the session's user, as it
//! was made, and one answer to everything else.

mod keys;
mod kinds;
mod places;
mod refused;
mod replayed;
mod secrecy;
