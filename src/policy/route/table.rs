//! The routes, arranged for lookup.
use super::Route;
/// Two routes that could both win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict(pub usize, pub usize);
/// What a lookup found.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// This route.
    Found(&'a Route),
}
/// The routes, arranged for lookup.
#[derive(Debug)]
pub struct Table;
impl Table {
    /// Arranges the routes, or names every pair that could both win.
    pub fn build(_routes: Vec<Route>) -> Result<Self, Vec<Conflict>> {
        Ok(Self)
    }
}
