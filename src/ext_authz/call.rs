//! A call is under way until the last of its answer is handed to the connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use crate::lifecycle::in_flight::Guard;

/// The body of an answer, and what counts its call.
struct UnderWay {
    body: Body,
    _call: Guard,
}

/// The answer to a call, which is under way until it is written.
pub(super) fn until_written(answer: http::Response<Body>, call: Guard) -> http::Response<Body> {
    answer.map(|body| Body::new(UnderWay { body, _call: call }))
}

impl http_body::Body for UnderWay {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
