//! Open data: what opens, what does not, and what nobody can forge.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod failing;
mod forging;
mod opening;
mod sealing;
