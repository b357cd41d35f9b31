//! A way to the API server that can be cut: connections break, and new ones are closed as soon as they are made.

use std::net::SocketAddr;

use innkeeper_testbed::ControlPlane;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// The way.
pub struct Wire {
    address: SocketAddr,
    kubeconfig: Kubeconfig,
    cut: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Wire {
    /// One to this control plane.
    pub async fn to(control_plane: &ControlPlane) -> Self {
        let kubeconfig = Kubeconfig::read_from(control_plane.kubeconfig()).unwrap();
        let server = kubeconfig.clusters[0].cluster.as_ref().unwrap().server.clone().unwrap();
        let server: SocketAddr = server.strip_prefix("https://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = watch::Sender::new(false);
        let state = cut.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, server, state.subscribe()));
            }
        });
        Self { address, kubeconfig, cut, task }
    }

    /// A client whose requests go this way, and which does not retry by itself.
    pub async fn client(&self) -> Client {
        let mut kubeconfig = self.kubeconfig.clone();
        kubeconfig.clusters[0].cluster.as_mut().unwrap().server = Some(format!("https://{}", self.address));
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.default_retry = false;
        Client::try_from(config).unwrap()
    }

    /// Cuts it.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Mends it.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, server: SocketAddr, mut cut: watch::Receiver<bool>) {
    if *cut.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}
