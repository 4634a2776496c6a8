//! A TCP proxy that fails on demand, for Redis, upstreams and WeChat.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does to connections, from the moment it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Everything comes this much later.
    Delay(Duration),
    /// This many bytes a second each way.
    Slow(u32),
    /// Connections are accepted and closed, those that are open too.
    Cut,
    /// Nothing listens. Open connections are closed.
    Refuse,
    /// Nothing gets through, and nobody is told. What was on the way arrives when the fault ends.
    Stall,
    /// The same, but the connections of that time never come back: the peer is gone.
    HalfOpen,
    /// What comes back is no protocol.
    Garbage,
}

/// A running proxy. Dropping it closes everything.
pub(crate) struct Chaos {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Chaos {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, faults) = watch::channel(Fault::None);
        let accepted = Arc::default();
        let task = tokio::spawn(accept(listener, target, faults, Arc::clone(&accepted)));
        Self { address, fault, accepted, task }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what it does from now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections were made through it so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    mut faults: watch::Receiver<Fault>,
    accepted: Arc<AtomicUsize>,
) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        let fault = *faults.borrow_and_update();
        if fault == Fault::Refuse {
            listener = None;
            if faults.changed().await.is_err() {
                return;
            }
            continue;
        }
        if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.unwrap());
        }
        tokio::select! {
            changed = faults.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            client = listener.as_ref().unwrap().accept() => {
                let Ok((client, _)) = client else { continue };
                accepted.fetch_add(1, Ordering::Relaxed);
                if fault != Fault::Cut {
                    tokio::spawn(relay(client, target, faults.clone()));
                }
            }
        }
    }
}

async fn relay(client: TcpStream, target: SocketAddr, faults: watch::Receiver<Fault>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut watched = faults.clone();
    tokio::select! {
        () = pump(from_client, to_server, faults.clone(), false) => {}
        () = pump(from_server, to_client, faults, true) => {}
        () = cut(&mut watched) => {}
    }
}

/// Waits until connections are to be closed, or the proxy is gone.
async fn cut(faults: &mut watch::Receiver<Fault>) {
    let _ = faults.wait_for(|fault| matches!(fault, Fault::Cut | Fault::Refuse)).await;
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut faults: watch::Receiver<Fault>,
    back: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &mut buffer[..length];
        let fault = *faults.borrow_and_update();
        match fault {
            Fault::None | Fault::Cut | Fault::Refuse => {}
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::Slow(rate) => {
                let time = Duration::from_secs(length as u64) / rate;
                tokio::time::sleep(time).await;
            }
            Fault::Stall => {
                let _ = faults.wait_for(|fault| *fault != Fault::Stall).await;
            }
            Fault::HalfOpen => {
                let _ = faults.wait_for(|fault| *fault != Fault::HalfOpen).await;
                return;
            }
            Fault::Garbage if back => bytes.iter_mut().for_each(|byte| *byte ^= 0x5a),
            Fault::Garbage => {}
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
