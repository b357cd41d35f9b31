//! A control plane for the demo and for work by hand: `testbed up`. Everything is in the library.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use innkeeper_testbed::{ControlPlane, Options};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(name = "testbed", about = "A real control plane on loopback: etcd and kube-apiserver")]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Starts one, prints `ready KUBECONFIG`, and stops it on Ctrl-C, SIGTERM, or the end of standard input
    Up(Up),
}

#[derive(Args)]
struct Up {
    /// Keep state and logs in this folder, which must be empty or absent [default: a temporary one, removed at the end]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Also start kube-controller-manager (garbage collection, deletion of namespaces)
    #[arg(long)]
    controller_manager: bool,
    /// Write the administrator's kubeconfig here as well; removed at the end
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Go on when standard input ends
    #[arg(long)]
    ignore_stdin: bool,
    /// More arguments for kube-apiserver, after `--`
    #[arg(last = true)]
    apiserver_arguments: Vec<String>,
}

fn main() -> ExitCode {
    let Verb::Up(up) = Command::parse().verb;
    match run(&up) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(up: &Up) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut stop = runtime.block_on(async { Stop::new(!up.ignore_stdin) })?;
    let options = Options {
        controller_manager: up.controller_manager,
        keep_dir: up.dir.clone(),
        apiserver_arguments: up.apiserver_arguments.clone(),
        ..Options::default()
    };
    // A signal during the start must not wait for it: leaving closes the supervisor's pipe, which cleans up.
    let (send, started) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = send.send(ControlPlane::start(options));
    });
    let control_plane = runtime.block_on(async {
        tokio::select! {
            outcome = started => Some(outcome),
            () = stop.requested() => None,
        }
    });
    let Some(outcome) = control_plane else { return Ok(()) };
    let control_plane = outcome??;
    let shown = match &up.kubeconfig {
        None => control_plane.kubeconfig(),
        Some(file) => {
            std::fs::copy(control_plane.kubeconfig(), file)?;
            file
        }
    };
    let mut out = std::io::stdout();
    writeln!(out, "ready {}", shown.display())?;
    out.flush()?;
    runtime.block_on(stop.requested());
    control_plane.stop();
    if let Some(file) = &up.kubeconfig {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

/// The ways in which somebody says that it is enough.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    input_ended: tokio::sync::mpsc::Receiver<()>,
}

impl Stop {
    fn new(watch_input: bool) -> std::io::Result<Self> {
        let (send, input_ended) = tokio::sync::mpsc::channel(1);
        std::thread::spawn(move || {
            let mut ignored = [0; 256];
            while watch_input && std::io::stdin().read(&mut ignored).is_ok_and(|n| n > 0) {}
            if !watch_input {
                // Held for ever: the channel closes with the process.
                std::mem::forget(send);
            }
        });
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            input_ended,
        })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.input_ended.recv() => {}
        }
    }
}
