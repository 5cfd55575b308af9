//! Closes connections whose client is too slow to receive its answer: an answer holds memory until it is sent.

use std::{
    future::{Ready, ready},
    io,
    pin::Pin,
    time::Duration,
};

use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;

/// Bounds how long a client may receive nothing while data is waiting for it.
#[derive(Clone, Copy, Debug)]
pub struct WriteTimeout(pub Duration);

impl<S> Accept<TcpStream, S> for WriteTimeout {
    type Stream = Pin<Box<TimeoutStream<TcpStream>>>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // An answer's last packet should not wait until the previous one is acknowledged.
        let prepared = stream.set_nodelay(true).map(|()| {
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(self.0));
            (Box::pin(stream), service)
        });
        ready(prepared)
    }
}
