//! Whether the head of a request is well-formed and can be read in only one way.
