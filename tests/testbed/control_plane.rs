//! Starts the programs in order, waits until they are ready, and hands out ways in.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use serde_json::Value;

use crate::Options;
use crate::binaries::Binaries;
use crate::endpoint::{Endpoint, block_on, get};
use crate::error::{Error, Result, io};
use crate::pki::{Identity, Pki};
use crate::servers::{self, EtcdPorts};
use crate::supervisor::{Afterwards, Supervisor};

const ETCD: &str = "etcd";
const APISERVER: &str = "kube-apiserver";
const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// Generous: a start takes seconds, but a machine that compiles on all cores makes it wait.
const READY_WITHIN: Duration = Duration::from_secs(240);
const ATTEMPTS_FOR_A_PORT: usize = 8;

/// A running etcd and kube-apiserver, on loopback, for whoever holds this value. Dropping it stops them; so does the
/// end of the process.
#[derive(Debug)]
pub struct ControlPlane {
    options: Options,
    binaries: Binaries,
    folder: PathBuf,
    supervisor: Supervisor,
    pki: Pki,
    admin: Identity,
    serving: Identity,
    kubeconfig: PathBuf,
    etcd: EtcdPorts,
    apiserver: Endpoint,
    users: AtomicUsize,
}

impl ControlPlane {
    /// Finds or builds the programs, starts them and returns when the API server is ready. Fails, leaving nothing
    /// behind, when there are no programs, when one of them ends, or when it is not ready within four minutes; the error
    /// has the end of the program's log.
    pub fn start(options: Options) -> Result<Self> {
        let binaries = Binaries::get(options.controller_manager)?;
        let (folder, afterwards) = make_folder(options.keep_dir.as_deref())?;
        // First of all, so that whatever happens next is cleaned up.
        let supervisor = Supervisor::start(&folder, afterwards)?;
        let pki = Pki::create(folder.join("pki"))?;
        let admin = pki.client("admin", "admin", &["system:masters"])?;
        let serving = pki.server("kube-apiserver")?;
        let mut control_plane = Self {
            kubeconfig: folder.join("kubeconfig"),
            etcd: EtcdPorts { client: 0, peer: 0 },
            apiserver: Endpoint { port: 0 },
            users: AtomicUsize::new(0),
            options,
            binaries,
            folder,
            supervisor,
            pki,
            admin,
            serving,
        };
        control_plane.start_etcd()?;
        control_plane.start_apiserver()?;
        if control_plane.options.controller_manager {
            control_plane.start_controller_manager()?;
        }
        Ok(control_plane)
    }

    /// The administrator's kubeconfig (group `system:masters`). Good until the control plane stops.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The folder with state, keys and logs (`kube-apiserver.log` and so on).
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A client of the administrator. Must be called inside a Tokio runtime and belongs to it: do not share it between
    /// tests. Panics if it cannot be made.
    #[must_use]
    #[track_caller]
    pub fn client(&self) -> Client {
        sure("make a client", self.apiserver.client(&self.pki, &self.admin))
    }

    /// A client that authenticates as this user with these groups (at most two) by a certificate of its own, so that
    /// RBAC is tried without impersonation. As [`ControlPlane::client`] otherwise.
    #[must_use]
    #[track_caller]
    pub fn client_for(&self, user: &str, groups: &[&str]) -> Client {
        let identity = self.identity(user, groups);
        sure("make a client", identity.and_then(|(_, identity)| self.apiserver.client(&self.pki, &identity)))
    }

    /// As [`ControlPlane::client_for`], as a kubeconfig file: for kubectl, or for a program under test.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let (name, identity) = self.identity(user, groups)?;
        let file = self.folder.join(format!("{name}.kubeconfig"));
        self.apiserver.write_kubeconfig(&self.pki, user, &identity, &file)?;
        Ok(file)
    }

    /// kubectl as the administrator, with a home of its own: neither the user's kubeconfig nor the user's cache of API
    /// groups is touched.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(self.binaries.path("kubectl"));
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", self.folder.join("home"));
        for other in ["KUBECACHEDIR", "KUBERC", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"] {
            command.env_remove(other);
        }
        command
    }

    /// Creates a namespace with a fresh name that begins with `prefix` and returns its name. Panics if it cannot.
    #[must_use]
    #[track_caller]
    pub fn namespace(&self, prefix: &str) -> String {
        sure(
            "create a namespace",
            block_on(|| async {
                let namespaces: Api<Namespace> = Api::all(self.apiserver.client(&self.pki, &self.admin)?);
                let metadata =
                    ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
                let wanted = Namespace { metadata, ..Namespace::default() };
                Ok(namespaces.create(&PostParams::default(), &wanted).await?.name_any())
            }),
        )
    }

    /// etcd's revision: how many writes there have been, to any object. The API server itself adds about one in ten
    /// seconds (its Lease). Panics if etcd cannot be asked.
    #[must_use]
    #[track_caller]
    pub fn etcd_revision(&self) -> i64 {
        sure(
            "ask etcd for its revision",
            block_on(|| async {
                let client = self.etcd_client()?;
                // Any read answers with the revision in its header; this one ("\0", limit 1) is linearizable and cheap.
                let request = http::Request::post("/v3/kv/range")
                    .body(br#"{"key":"AA==","limit":"1","keys_only":true}"#.to_vec())
                    .map_err(|e| Error::Etcd(e.to_string()))?;
                let answer: Value = client.request(request).await?;
                let revision = answer["header"]["revision"].as_str().and_then(|r| r.parse().ok());
                revision.ok_or_else(|| Error::Etcd(answer.to_string()))
            }),
        )
    }

    /// The process id of `etcd`, `kube-apiserver` or `kube-controller-manager`, if it was started.
    #[must_use]
    pub fn pid(&self, program: &str) -> Option<u32> {
        self.supervisor.pid(program)
    }

    /// Kills the API server and starts it again on the same port with the same data; returns when it is ready. Watches
    /// and open requests are cut off, as by a crash.
    pub fn restart_apiserver(&self) -> Result<()> {
        self.supervisor.kill(APISERVER)?;
        for _ in 0..ATTEMPTS_FOR_A_PORT {
            match self.run_apiserver(&self.apiserver) {
                Err(Error::Ended { log, .. }) if servers::says_port_is_taken(&log) => {}
                outcome => return outcome,
            }
        }
        Err(Error::NoFreePort { name: APISERVER })
    }

    /// Keeps a copy of everything that is stored now, as a backup of etcd would. The API server is gone for a moment.
    pub fn keep_etcd(&self) -> Result<()> {
        self.with_etcd_stopped(copy)
    }

    /// Puts everything back to what it was when it was kept, as restoring that backup would.
    pub fn put_etcd_back(&self) -> Result<()> {
        self.with_etcd_stopped(|etcd, kept| copy(kept, etcd))
    }

    fn with_etcd_stopped(&self, work: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<()> {
        self.supervisor.kill(APISERVER)?;
        self.supervisor.kill(ETCD)?;
        work(&self.folder.join("etcd"), &self.folder.join("etcd-kept"))?;
        let identity = self.pki.server("etcd")?;
        let arguments = servers::etcd(&self.folder, &self.pki, &identity, self.etcd);
        self.supervisor.forget_log(ETCD);
        self.supervisor.run(ETCD, &self.binaries.path(ETCD), &arguments)?;
        self.await_ready(ETCD, &servers::etcd_endpoint(self.etcd), "/health", |answer| {
            answer.contains("true")
        })?;
        self.run_apiserver(&self.apiserver)
    }

    /// Stops everything and returns when all processes have gone and the temporary folder is removed.
    pub fn stop(self) {
        self.supervisor.stop();
    }

    /// A client of etcd. Belongs to the runtime it is made in.
    pub(crate) fn etcd_client(&self) -> Result<Client> {
        servers::etcd_endpoint(self.etcd).client(&self.pki, &self.admin)
    }

    fn start_etcd(&mut self) -> Result<()> {
        let identity = self.pki.server("etcd")?;
        for _ in 0..ATTEMPTS_FOR_A_PORT {
            let [client, peer] = free_ports()?;
            self.etcd = EtcdPorts { client, peer };
            let _ = fs::remove_dir_all(self.folder.join("etcd"));
            let arguments = servers::etcd(&self.folder, &self.pki, &identity, self.etcd);
            self.supervisor.forget_log(ETCD);
            self.supervisor.run(ETCD, &self.binaries.path(ETCD), &arguments)?;
            match self.await_ready(ETCD, &servers::etcd_endpoint(self.etcd), "/health", |answer| {
                answer.contains("true")
            }) {
                Err(Error::Ended { log, .. }) if servers::says_port_is_taken(&log) => {}
                outcome => return outcome,
            }
        }
        Err(Error::NoFreePort { name: ETCD })
    }

    fn start_apiserver(&mut self) -> Result<()> {
        for _ in 0..ATTEMPTS_FOR_A_PORT {
            let [port] = free_ports()?;
            self.apiserver = Endpoint { port };
            match self.run_apiserver(&self.apiserver) {
                Err(Error::Ended { log, .. }) if servers::says_port_is_taken(&log) => {}
                Ok(()) => {
                    return self.apiserver.write_kubeconfig(
                        &self.pki,
                        "admin",
                        &self.admin,
                        &self.kubeconfig,
                    );
                }
                outcome => return outcome,
            }
        }
        Err(Error::NoFreePort { name: APISERVER })
    }

    fn run_apiserver(&self, endpoint: &Endpoint) -> Result<()> {
        let (pki, options) = (&self.pki, &self.options);
        let arguments =
            servers::apiserver(pki, &self.serving, &self.admin, self.etcd, endpoint.port, options);
        self.supervisor.forget_log(APISERVER);
        self.supervisor.run(APISERVER, &self.binaries.path(APISERVER), &arguments)?;
        self.await_ready(APISERVER, endpoint, "/readyz", |_| true)
    }

    /// Ready is when namespaces get their service account: then its informers have synced.
    fn start_controller_manager(&self) -> Result<()> {
        let identity = self.pki.client("controller-manager", "system:kube-controller-manager", &[])?;
        let kubeconfig = self.folder.join("controller-manager.kubeconfig");
        self.apiserver.write_kubeconfig(
            &self.pki,
            "system:kube-controller-manager",
            &identity,
            &kubeconfig,
        )?;
        let arguments = servers::controller_manager(&self.pki, &kubeconfig);
        self.supervisor.run(CONTROLLER_MANAGER, &self.binaries.path(CONTROLLER_MANAGER), &arguments)?;
        self.poll(CONTROLLER_MANAGER, || async {
            let client = self.apiserver.probe(&self.pki, &self.admin)?;
            let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
            Ok(accounts.get("default").await.map(|_| ()).map_err(|e| e.to_string()))
        })
    }

    fn await_ready(&self, name: &'static str, at: &Endpoint, path: &str, ok: fn(&str) -> bool) -> Result<()> {
        self.poll(name, || async {
            let client = at.probe(&self.pki, &self.admin)?;
            Ok(get(&client, path).await.and_then(|answer| if ok(&answer) { Ok(()) } else { Err(answer) }))
        })
    }

    /// Asks until the answer is `Ok(Ok)`, the program has ended, or the time is over.
    fn poll<F>(&self, name: &'static str, ask: impl Fn() -> F + Send + Sync) -> Result<()>
    where
        F: Future<Output = Result<Result<(), String>>>,
    {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            // Before and after: a neighbour on the same port must not answer for a program that has ended.
            let answer = block_on(&ask)?;
            if let Some(code) = self.supervisor.exit_code(name) {
                return Err(Error::Ended { name, code, log: self.supervisor.log_tail(name) });
            }
            match answer {
                Ok(()) => return Ok(()),
                Err(last) if Instant::now() > deadline => {
                    let seconds = READY_WITHIN.as_secs();
                    return Err(Error::NotReady { name, seconds, last, log: self.supervisor.log_tail(name) });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn identity(&self, user: &str, groups: &[&str]) -> Result<(String, Identity)> {
        let name = format!("user-{}", self.users.fetch_add(1, Ordering::Relaxed));
        let identity = self.pki.client(&name, user, groups)?;
        Ok((name, identity))
    }
}

/// A failure of the test's own ground is the test's failure, with its reason.
#[track_caller]
#[allow(clippy::panic, reason = "this crate is part of the tests")]
pub(crate) fn sure<T, E: std::fmt::Display>(what: &str, outcome: Result<T, E>) -> T {
    outcome.unwrap_or_else(|error| panic!("cannot {what}: {error}"))
}

/// Makes `to` what `from` is, folders and all.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).map_err(io("create", to))?;
    for entry in fs::read_dir(from).map_err(io("read", from))? {
        let entry = entry.map_err(io("read", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).map_err(io("copy", &path))?;
        }
    }
    Ok(())
}

fn make_folder(keep: Option<&Path>) -> Result<(PathBuf, Afterwards)> {
    let Some(folder) = keep else {
        let temporary = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix("innkeeper-testbed-")
            .tempdir_in(&temporary)
            .map_err(io("create a folder in", &temporary))?;
        return Ok((folder.keep(), Afterwards::Remove));
    };
    fs::create_dir_all(folder).map_err(io("create", folder))?;
    let folder = folder.canonicalize().map_err(io("find", folder))?;
    if fs::read_dir(&folder).map_err(io("read", &folder))?.next().is_some() {
        return Err(Error::FolderNotEmpty(folder));
    }
    Ok((folder, Afterwards::Keep))
}

/// Ports that were free a moment ago, all different. Somebody may take one before it is used: whoever uses it looks for
/// "address already in use" and asks again.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let loopback = Path::new("127.0.0.1");
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(io("find a free port on", loopback))?;
        *port = listener.local_addr().map_err(io("find a free port on", loopback))?.port();
        held.push(listener);
    }
    Ok(ports)
}
