//! A stretch of network between one part and NATS that can be cut: nothing comes through, and nobody is told, as when a cable is pulled.

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// A listener on loopback whose connections lead to a server. What is under way while the link is cut arrives when it is whole again, as TCP
/// sends again what was not acknowledged. Dropping it ends its connections.
pub struct Link {
    port: u16,
    whole: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Link {
    /// A whole link to `127.0.0.1:port`.
    ///
    /// # Panics
    /// When nothing can listen.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let own = listener.local_addr().expect("an address").port();
        let (whole, state) = watch::channel(true);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(connection(near, port, state));
            }
        });
        Self { port: own, whole, task }
    }

    /// Where a client connects: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Nothing comes through from now on.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Everything comes through again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }

    /// Cuts for so long.
    pub async fn cut_for(&self, time: Duration) {
        self.cut();
        tokio::time::sleep(time).await;
        self.mend();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(near: TcpStream, port: u16, mut whole: watch::Receiver<bool>) {
    // Without a network there is no connection either.
    if whole.wait_for(|whole| *whole).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    // One end that closes ends both, when that can come through.
    tokio::select! {
        () = pass(near_in, far_out, whole.clone()) => {}
        () = pass(far_in, near_out, whole.clone()) => {}
    }
    let _ = whole.wait_for(|whole| *whole).await;
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut whole: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if whole.wait_for(|whole| *whole).await.is_err() || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
