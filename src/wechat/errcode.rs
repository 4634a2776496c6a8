//! What WeChat's errcodes mean for a client and for the operator.
