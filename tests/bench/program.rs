//! `innkeeper` as a process of its own, which does not outlive this one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, ChildStdin, Command};

use crate::Result;

/// Runs a program under the shell's own process id and kills it when standard input ends: whatever way this process
/// ends, the program does not outlive it.
const LEASHED: &str =
    r#"exec 3<&0; (read -r _ <&3; kill -KILL $$) >/dev/null 2>&1 & exec "$0" "$@" 3<&- </dev/null"#;

const PATIENCE: Duration = Duration::from_secs(120);

/// A running `innkeeper`.
pub struct Program {
    child: Child,
    leash: Option<ChildStdin>,
    log: PathBuf,
    http: reqwest::Client,
    /// `http://` and where it listens.
    pub url: String,
    /// Its process id.
    pub pid: u32,
}

impl Program {
    /// Starts it and returns when its log says where it listens.
    pub async fn start(program: &Path, arguments: &[String], log: PathBuf) -> Result<Self> {
        let said = File::create(&log)?;
        let mut child = Command::new("sh")
            .args(["-c", LEASHED])
            .arg(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let leash = child.stdin.take();
        let pid = child.id().ok_or("it ended at once")?;
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let mut started = Self { child, leash, log, http, url: String::new(), pid };
        started.url = started.address().await?;
        Ok(started)
    }

    async fn address(&mut self) -> Result<String> {
        let begun = Instant::now();
        loop {
            let said = std::fs::read_to_string(&self.log)?;
            let mut lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(address) = lines.find_map(|line| Some(line["address"].as_str()?.to_owned())) {
                return Ok(format!("http://{address}"));
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("innkeeper ended with {status}; it said:\n{said}").into());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("innkeeper does not say where it listens:\n{said}").into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The address that it has said in this line of its log.
    pub fn address_of(&self, message: &str) -> Result<String> {
        let said = std::fs::read_to_string(&self.log)?;
        let mut lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["message"] == message);
        let address = line.as_ref().and_then(|line| line["address"].as_str());
        Ok(format!("http://{}", address.ok_or_else(|| format!("innkeeper does not say where: {message}"))?))
    }

    /// Waits until it is ready.
    pub async fn is_ready(&self) -> Result<()> {
        let begun = Instant::now();
        while self.get("/readyz").await?.0 != 200 {
            if begun.elapsed() > PATIENCE {
                return Err(format!("innkeeper is not ready; its log is {}", self.log.display()).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Its metrics.
    pub async fn metrics(&self) -> Result<Metrics> {
        Ok(Metrics(self.get("/metrics").await?.1))
    }

    async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Waits until it leads and is ready.
    pub async fn leads(&self) -> Result<()> {
        let begun = Instant::now();
        while self.get("/readyz").await?.0 != 200
            || self.metrics().await?.sum("leader_election_master_status", &[]) < 1.0
        {
            if begun.elapsed() > PATIENCE {
                return Err(format!("the operator is not ready; its log is {}", self.log.display()).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Asks it to end and waits until it has: it drains and gives its Lease back.
    pub async fn ends(mut self) -> Result<()> {
        let pid = self.pid.to_string();
        std::process::Command::new("kill").args(["-s", "TERM", &pid]).status()?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.map_err(|_| "innkeeper does not end")??;
        drop(self.leash.take());
        if status.success() { Ok(()) } else { Err(format!("innkeeper ended with {status}").into()) }
    }
}

/// Metrics in Prometheus' text format.
pub struct Metrics(pub String);

impl Metrics {
    /// The sum of a metric's samples that have these labels; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        self.0
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}
