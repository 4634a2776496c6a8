//! Who is told of what happens at the door.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::refusal::Refusal;

/// Who is told of what happens at the door. The calls stand in the way of connections: they must not wait.
pub trait Observer: Send + Sync + fmt::Debug {
    /// A connection came.
    fn accepted(&self);

    /// A connection was closed at once, being one too many.
    fn turned_away(&self);

    /// A head was answered at the door.
    fn refused(&self, head: RefusedHead<'_>);
}

/// A head that was answered at the door.
#[derive(Clone, Copy, Debug)]
pub struct RefusedHead<'a> {
    /// Why.
    pub refusal: &'a Refusal,
    /// The name that the client was told for it.
    pub request_id: &'a str,
    /// Where it came from; nobody knows on a unix socket.
    pub peer: Option<SocketAddr>,
    /// How long it took to come.
    pub took: Duration,
}
