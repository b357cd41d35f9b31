//! What is measured on: a control plane with everything installed, a payment provider, and hotels with an operator each.

use std::path::{Path, PathBuf};
use std::process::Command;

use innkeeper_api::{Payment, Reservation, ReservationSpec, Room, RoomSpec};
use innkeeper_testbed::{ControlPlane, Options};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;

use crate::Result;
use crate::program::Program;
use crate::server::Counts;

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const KEY: &str = "sk_test_innkeeper";

/// The first night that anybody asks for; a month with 31 nights, far ahead.
pub const FIRST: Date = date(2030, 7, 1);
/// Nights of that month that stays are spread over.
pub const NIGHTS: usize = 30;

/// A control plane and a payment provider.
pub struct Bed {
    /// The control plane.
    pub control_plane: ControlPlane,
    /// Its administrator.
    pub client: Client,
    /// The payment provider.
    pub provider: Program,
    innkeeper: PathBuf,
    folder: TempDir,
}

impl Bed {
    /// Starts everything. The API server has the defaults of a real one; etcd does not wait for the disk.
    pub async fn open(innkeeper: &Path) -> Result<Self> {
        let control_plane = ControlPlane::start(Options::default())?;
        for folder in ["crds", "manifests/base/policies"] {
            run(control_plane.kubectl().args(["apply", "-k", &format!("{PROJECT}/{folder}")]))?;
        }
        let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
        run(control_plane.kubectl().args(established))?;
        let folder = TempDir::new()?;
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("key"), format!("{KEY}\n"))?;
        let arguments = [
            "payments".to_owned(),
            "serve".to_owned(),
            "--listen=127.0.0.1:0".to_owned(),
            format!("--ledger={}", path("ledger.sqlite").display()),
            format!("--key-file={}", path("key").display()),
        ];
        let provider = Program::start(innkeeper, &arguments, path("payments.log")).await?;
        let client = control_plane.client();
        Ok(Self { control_plane, client, provider, innkeeper: innkeeper.to_owned(), folder })
    }

    /// The API server's version.
    pub async fn version(&self) -> Result<String> {
        Ok(self.client.apiserver_version().await?.git_version)
    }

    /// What has been written so far.
    pub async fn counts(&self) -> Result<Counts> {
        Counts::take(&self.control_plane, &self.client).await
    }

    /// A namespace in which one operator sells rooms. Nobody else looks at it.
    pub fn hotel(&self, prefix: &str) -> Hotel<'_> {
        Hotel { bed: self, namespace: self.control_plane.namespace(prefix), extra_finalizers: Vec::new() }
    }

    /// A file in a folder that goes with this.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts innkeeper with these arguments, its log in this file.
    pub async fn program(&self, arguments: &[String], log: &str) -> Result<Program> {
        Program::start(&self.innkeeper, arguments, self.path(log)).await
    }

    /// A process of the control plane.
    pub fn pid(&self, program: &str) -> Result<u32> {
        self.control_plane.pid(program).ok_or_else(|| format!("{program} does not run").into())
    }

    /// Ends everything.
    pub fn close(self) {
        drop(self.provider);
        self.control_plane.stop();
    }
}

/// A namespace in which rooms are sold.
pub struct Hotel<'a> {
    /// What it stands on.
    pub bed: &'a Bed,
    /// Its name.
    pub namespace: String,
    /// Finalizers that its operator sees to beside its own.
    pub extra_finalizers: Vec<&'static str>,
}

impl Hotel<'_> {
    /// Starts its operator, with the defaults of an installation, and returns when it leads.
    pub async fn operator(&self) -> Result<Program> {
        let operator = self.operator_starts().await?;
        operator.leads().await?;
        Ok(operator)
    }

    /// The same, without waiting for it to lead.
    pub async fn operator_starts(&self) -> Result<Program> {
        let path = |name: &str| self.bed.path(name);
        let config = path(&format!("{}.yaml", self.namespace));
        let settings = json!({
            "operator": { "watchNamespaces": [self.namespace], "extraFinalizers": self.extra_finalizers },
            "payments": { "endpoint": self.bed.provider.url, "keyFile": path("key") },
            "http": { "listen": "127.0.0.1:0" },
        });
        std::fs::write(&config, settings.to_string())?;
        let arguments = [
            "operator".to_owned(),
            format!("--config={}", config.display()),
            format!("--kubeconfig={}", self.bed.control_plane.kubeconfig().display()),
            format!("--namespace={}", self.namespace),
        ];
        self.bed.program(&arguments, &format!("{}.log", self.namespace)).await
    }

    /// Its Reservations.
    pub fn reservations(&self) -> Api<Reservation> {
        Api::namespaced(self.bed.client.clone(), &self.namespace)
    }

    /// Its Rooms.
    pub fn rooms(&self) -> Api<Room> {
        Api::namespaced(self.bed.client.clone(), &self.namespace)
    }

    /// Declares a Room with as many units as one may have.
    pub async fn room(&self, name: &str) -> Result<()> {
        let spec: RoomSpec = serde_json::from_value(json!({
            "units": innkeeper_api::MAX_UNITS,
            "rate": { "currency": "EUR", "minorUnits": 12_000 },
            "timeZone": "Europe/Lisbon",
        }))?;
        self.rooms().create(&PostParams::default(), &Room::new(name, spec)).await?;
        Ok(())
    }
}

/// One guest's wish for one night, paid with a good card; born with the operator's finalizer, as the gateway makes them,
/// or without.
pub fn wish(name: &str, room: &str, night: usize, born: bool) -> Reservation {
    let night = i64::try_from(night % NIGHTS).unwrap_or(0);
    let check_in = FIRST.saturating_add(night.days());
    let spec = ReservationSpec {
        room_name: room.to_owned(),
        check_in,
        check_out: check_in.saturating_add(1.day()),
        units: 1,
        guest_id: format!("guest:{name}"),
        guests: innkeeper_api::Guests::default(),
        payment: Payment {
            collect: innkeeper_api::Collect::Online,
            method: Some("pm_card_visa".to_owned()),
            reference: None,
        },
        max_total: None,
        state: None,
        ttl_after_finished: None,
    };
    let mut wish = Reservation::new(name, spec);
    if born {
        wish.metadata.finalizers = Some(vec![innkeeper_api::FINALIZER.to_owned()]);
    }
    wish
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
