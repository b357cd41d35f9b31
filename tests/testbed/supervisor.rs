//! Child processes that never outlive the process that asked for them.
//!
//! A test can end by panic, abort, `SIGKILL` or Ctrl-C, and statics are never dropped, so nothing here relies on
//! `Drop`. A small shell script (`supervisor.sh`) is the parent of the programs; its standard input is a pipe held by
//! this process alone, and when the pipe closes, for whatever reason, the script kills the programs and removes the
//! folder. It runs in a process group of its own, so that Ctrl-C reaches the test and not what is needed to clean up.
//! Knows nothing about what the programs are.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, io};

const SCRIPT: &str = include_str!("supervisor.sh");
/// How long the script may take for one command; it is only a shell that forks.
const PATIENCE: Duration = Duration::from_secs(60);
const LOG_TAIL_LINES: usize = 25;

/// What becomes of the folder when everything has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Keep,
    Remove,
}

/// A running `supervisor.sh` and the pipe that keeps it running.
#[derive(Debug)]
pub(crate) struct Supervisor {
    folder: PathBuf,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    pipe: ChildStdin,
    commands: u64,
}

impl Supervisor {
    /// Starts the script over `folder`, which must exist. Fails when there is no `sh`.
    pub(crate) fn start(folder: &Path, afterwards: Afterwards) -> Result<Self> {
        let log = folder.join("supervisor.log");
        let log = File::create(&log).map_err(io("create", &log))?;
        let errors = log.try_clone().map_err(io("open the log of", folder))?;
        let script = folder.join("supervisor.sh");
        fs::write(&script, SCRIPT).map_err(io("write", &script))?;
        let mut child = Command::new("sh")
            .arg(&script)
            .arg(folder)
            .arg(if afterwards == Afterwards::Keep { "keep" } else { "remove" })
            // A clean environment: etcd takes ETCD_* for flags, Go programs take proxies from it.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")))
            .env("HOME", folder)
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(io("run sh in", folder))?;
        let Some(pipe) = child.stdin.take() else {
            return Err(Error::Supervisor("its standard input is missing".to_owned()));
        };
        Ok(Self {
            folder: folder.to_owned(),
            running: Mutex::new(Some(Running { child, pipe, commands: 0 })),
        })
    }

    /// Runs a program under a name that is unique in the folder; what it says is added to `<name>.log`. Returns when it
    /// has been started, not when it is ready.
    pub(crate) fn run(&self, name: &str, program: &Path, arguments: &[String]) -> Result<()> {
        let mut lines = program.as_os_str().as_bytes().to_vec();
        for argument in arguments {
            lines.push(b'\n');
            lines.extend_from_slice(argument.as_bytes());
        }
        lines.push(b'\n');
        let file = self.file(name, "args");
        fs::write(&file, lines).map_err(io("write", &file))?;
        self.tell(&format!("start {name}\n"))
    }

    /// Kills a program and returns when it has gone. Killing what has ended already does nothing.
    pub(crate) fn kill(&self, name: &str) -> Result<()> {
        self.tell(&format!("stop {name}\n"))
    }

    /// The exit code of a program that has ended.
    pub(crate) fn exit_code(&self, name: &str) -> Option<i32> {
        number(&self.file(name, "exit"))
    }

    /// The process id of a program that was started.
    pub(crate) fn pid(&self, name: &str) -> Option<u32> {
        number(&self.file(name, "pid"))
    }

    /// The last lines of what a program said.
    pub(crate) fn log_tail(&self, name: &str) -> String {
        let bytes = fs::read(self.file(name, "log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// Empties a program's log, so that what an earlier attempt said is not taken for this one's.
    pub(crate) fn forget_log(&self, name: &str) {
        let _ = fs::remove_file(self.file(name, "log"));
    }

    /// Stops everything and returns when all processes are gone and the folder is as it should be. Repeating is harmless.
    pub(crate) fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut running) = running {
            drop(running.pipe);
            let _ = running.child.wait();
        }
    }

    fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{name}.{kind}"))
    }

    /// Sends a command and returns when it has been carried out.
    fn tell(&self, command: &str) -> Result<()> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = running.as_mut() else {
            return Err(Error::Supervisor("it was stopped".to_owned()));
        };
        let told = running.pipe.write_all(command.as_bytes()).and_then(|()| running.pipe.flush());
        told.map_err(|e| Error::Supervisor(format!("it does not listen any more: {e}")))?;
        running.commands += 1;
        let file = self.folder.join("acknowledged");
        let deadline = Instant::now() + PATIENCE;
        while number(&file).is_none_or(|acknowledged: u64| acknowledged < running.commands) {
            if Instant::now() > deadline {
                let log = self.log_tail("supervisor");
                return Err(Error::Supervisor(format!("it did not do `{}`: {log}", command.trim())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// The number in a file that is there and has been written to its end.
fn number<T: FromStr>(file: &Path) -> Option<T> {
    fs::read_to_string(file).ok()?.strip_suffix('\n')?.parse().ok()
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}
