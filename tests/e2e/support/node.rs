//! The node below: its processes, and signals to them.

use std::process::Command;

/// A shell on the node, such as `sh` where the tests run on it, or `docker exec kind-control-plane sh`.
pub struct Node {
    command: Vec<String>,
}

impl Node {
    /// With the words of this command.
    pub fn new(command: impl AsRef<str>) -> Self {
        Self { command: command.as_ref().split_whitespace().map(ToOwned::to_owned).collect() }
    }

    /// Runs a script, which must succeed; gives what it printed.
    pub fn run(&self, script: &str) -> String {
        let (program, arguments) = self.command.split_first().expect("E2E_NODE_SHELL has a command");
        let output = Command::new(program).args(arguments).args(["-c", script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "on the node: {script}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The process of Innkeeper in a pod, by the pod's UID, as the node numbers it.
    pub fn process(&self, pod: &str) -> Option<String> {
        // Slices of systemd write the UID with underscores.
        let uid = pod.replace('-', "[-_]");
        let script = format!(
            "for p in /proc/[0-9]*; do \
               if grep -qs 'pod{uid}' $p/cgroup && [ \"$(cat $p/comm 2>/dev/null)\" = innkeeper ]; then echo ${{p#/proc/}}; fi; \
             done"
        );
        self.run(&script).lines().next().map(ToOwned::to_owned)
    }

    /// Sends a signal to the process of Innkeeper in a pod.
    pub fn signal(&self, pod: &str, signal: &str) {
        let process = self.process(pod).expect("the pod has a process");
        self.run(&format!("kill -{signal} {process}"));
    }

    /// What the kernel says of a process, by field.
    pub fn status(&self, process: &str, field: &str) -> String {
        let line = self.run(&format!("grep '^{field}:' /proc/{process}/status"));
        line.split_once(':').map_or("", |(_, value)| value).trim().to_owned()
    }
}
