//! wxgate: the gateway that lets any backend serve WeChat Mini Programs.
