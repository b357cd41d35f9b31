//! What the kernel says of a process.

use std::fs;
use std::ops::Range;
use std::process::Command;

use crate::Result;

/// Ticks of processor time in a second, on every Linux there is. Only ratios of times are reported.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used so far, its threads' included.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = read(pid, "stat")?;
    // The second field is the program's name in brackets, in which anything may stand.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<u64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok((user + system) as f64 / TICKS),
        _ => Err(format!("cannot read the processor time of process {pid}").into()),
    }
}

/// Bytes of memory of a process that are resident.
pub fn resident(pid: u32) -> Result<f64> {
    memory(pid, "VmRSS:")
}

/// The most that was ever resident.
pub fn peak(pid: u32) -> Result<f64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, field: &str) -> Result<f64> {
    let text = read(pid, "status")?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kib.ok_or_else(|| format!("cannot read the memory of process {pid}"))? as f64 * 1024.0)
}

/// The load average of the last minute: how busy the machine is.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN)
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}").into())
}

/// Lets a process, with all of its threads, run on these cores only. Whether that could be done.
pub fn run_on(pid: u32, cores: &Range<usize>) -> bool {
    let list = format!("{}-{}", cores.start, cores.end.saturating_sub(1));
    let set = Command::new("taskset").args(["-a", "-c", "-p", &list, &pid.to_string()]).output();
    set.is_ok_and(|set| set.status.success())
}
