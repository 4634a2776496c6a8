//! What a request may be and where it goes: pure rules over its head, without any I/O.

pub mod admission;
pub mod cors;
pub mod guard;
pub mod limits;
pub mod path;
pub mod rate;
pub mod route;
