//! The real program as a child process: its log, its exit code, its probes; and the files that it is started with.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::hotel::{Hotel, KEY};
use super::{PATIENCE, control_plane};

/// Runs a program under the shell's own process id and kills it when standard input ends: whatever way a test ends, the
/// program does not outlive it.
const LEASHED: &str =
    r#"exec 3<&0; (read -r _ <&3; kill -KILL $$) >/dev/null 2>&1 & exec "$0" "$@" 3<&- </dev/null"#;

/// A program that runs.
pub struct Process {
    child: Child,
    /// Waiting for a child closes its standard input, so this is kept apart from it.
    _leash: Option<ChildStdin>,
    /// What it was started with, which must not go before it.
    folder: Option<Arc<TempDir>>,
    lines: watch::Receiver<Arc<Vec<String>>>,
    http: reqwest::Client,
}

/// The program with nothing of the environment of the tests in it.
pub fn innkeeper(arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", LEASHED, env!("CARGO_BIN_EXE_innkeeper")]).args(arguments).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end: exit code, standard output, standard error.
pub async fn ends(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut child = innkeeper(arguments).spawn().unwrap();
    // Held until the end, or the program would be killed.
    let _leash = child.stdin.take();
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

impl Process {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let leash = child.stdin.take();
        let (tell, lines) = watch::channel(Arc::default());
        let all = Arc::new(Mutex::new(Vec::new()));
        follow(child.stdout.take().unwrap(), Arc::clone(&all), tell.clone());
        follow(child.stderr.take().unwrap(), all, tell);
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { child, _leash: leash, folder: None, lines, http }
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// Waits for a line of its log with these words, and gives it.
    pub async fn says(&self, what: &str) -> String {
        self.says_like(|line| line.contains(what))
            .await
            .unwrap_or_else(|| panic!("it never said `{what}`; it said:\n{}", self.log()))
    }

    /// Waits for a line of its log, and gives it; none if it ends or too much time passes without one.
    pub async fn says_like(&self, is: impl Fn(&str) -> bool) -> Option<String> {
        let mut lines = self.lines.clone();
        let found = lines.wait_for(|lines| lines.iter().any(|line| is(line)));
        let lines = tokio::time::timeout(PATIENCE, found).await.ok()?.ok()?;
        lines.iter().find(|line| is(line)).cloned()
    }

    /// Sends it a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("it still runs").to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end: its exit code, or none if a signal ended it.
    pub async fn exit(&mut self) -> Option<i32> {
        let Ok(status) = tokio::time::timeout(PATIENCE, self.child.wait()).await else {
            panic!("it does not end; it said:\n{}", self.log());
        };
        status.unwrap().code()
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM, and the exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.exit().await
    }

    /// Where its probes are, from its log.
    pub async fn address(&self) -> String {
        let line = self.says("probes and metrics").await;
        let line: Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str().unwrap().to_owned()
    }

    /// Asks its probes: status and text; none when nobody listens.
    pub async fn ask(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://{}{path}", self.address().await);
        let answer = self.http.get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Waits until a probe's answer is as asked, and gives its text.
    pub async fn answers(&self, path: &str, is: impl Fn(u16, &str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let answer = self.ask(path).await;
            match &answer {
                Some((status, text)) if is(*status, text) => return text.clone(),
                _ => {}
            }
            assert!(begun.elapsed() < PATIENCE, "{path} never came to it: {answer:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        self.answers("/readyz", |status, _| status == 200).await;
    }

    /// Waits until it is ready and leads.
    pub async fn leads(&self) {
        let one = |text: &str| value(text, "leader_election_master_status", &[]) == Some(1.0);
        self.answers("/metrics", |_, text| one(text)).await;
        self.ready().await;
    }

    /// Its metrics.
    pub async fn metrics(&self) -> String {
        self.answers("/metrics", |status, _| status == 200).await
    }
}

fn follow(
    stream: impl AsyncRead + Send + Unpin + 'static,
    all: Arc<Mutex<Vec<String>>>,
    tell: watch::Sender<Arc<Vec<String>>>,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut all = all.lock().unwrap();
            all.push(line);
            tell.send_replace(Arc::new(all.clone()));
        }
    });
}

/// The sum of the samples of a metric that have these labels; none where there is no such sample.
pub fn value(metrics: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|(key, value)| line.contains(&format!("{key}=\"{value}\"")))
    };
    metrics
        .lines()
        .filter(fits)
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .reduce(|sum, next| sum + next)
}

/// What an operator of one hotel is started with.
pub struct Files {
    folder: Arc<TempDir>,
    namespace: String,
    kubeconfig: PathBuf,
    settings: Value,
}

impl Files {
    /// For a hotel on the shared control plane, with free ports and a short Lease.
    pub fn of(hotel: &Hotel) -> Self {
        Self::on(hotel, control_plane().kubeconfig())
    }

    /// The same, on the control plane of this kubeconfig.
    pub fn on(hotel: &Hotel, kubeconfig: &Path) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let key = folder.path().join("key");
        std::fs::write(&key, format!("{KEY}\n")).unwrap();
        let settings = json!({
            "operator": {
                "watchNamespaces": [hotel.namespace],
                "roomStatusInterval": "100ms",
                "lease": { "duration": "3s", "renew": "1s" },
            },
            "payments": {
                "endpoint": hotel.provider.url(),
                "keyFile": key,
                "backoff": { "initial": "100ms", "max": "1s" },
                "breaker": { "failures": 1000 },
            },
            "http": { "listen": "127.0.0.1:0" },
        });
        let files =
            Self { folder, namespace: hotel.namespace.clone(), kubeconfig: kubeconfig.to_owned(), settings };
        files.write(&files.settings.to_string());
        files
    }

    /// The same with another kubeconfig.
    pub fn with_kubeconfig(mut self, kubeconfig: &Path) -> Self {
        kubeconfig.clone_into(&mut self.kubeconfig);
        self
    }

    /// The same with another namespace of the operator's own.
    pub fn with_namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// Sets one field of the configuration file, by its path.
    pub fn set(&mut self, path: &str, value: Value) {
        let pointer = format!("/{}", path.replace('.', "/"));
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        if self.settings.pointer(parent).is_none() {
            self.settings[&parent[1..]] = json!({});
        }
        self.settings.pointer_mut(parent).unwrap()[name] = value;
        self.write(&self.settings.to_string());
    }

    /// Writes this text as the configuration file, in one step: an operator looks at it at any time.
    pub fn write(&self, text: &str) {
        let beside = self.path("config.yaml.new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, self.config()).unwrap();
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    /// A path in their folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments of `innkeeper operator`.
    pub fn arguments(&self) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            "operator".to_owned(),
            format!("--config={}", text(&self.config())),
            format!("--kubeconfig={}", text(&self.kubeconfig)),
            format!("--namespace={}", self.namespace),
        ]
    }

    /// Starts `innkeeper operator`.
    pub fn operator(&self) -> Process {
        self.operator_with(&[])
    }

    /// The same with more arguments.
    pub fn operator_with(&self, more: &[&str]) -> Process {
        let mut arguments = self.arguments();
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let mut process =
            Process::start(innkeeper(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
        process.folder = Some(Arc::clone(&self.folder));
        process
    }

    /// Runs `innkeeper operator`, which ends by itself: exit code, and what it said.
    pub async fn operator_ends(&self) -> (Option<i32>, String) {
        let arguments = self.arguments();
        let (code, out, err) = ends(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        (code, out + &err)
    }
}
