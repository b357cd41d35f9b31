//! What a case saw, on standard output.

/// Prints a line of the report.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let mut out = std::io::stdout().lock();
        // Nobody may read any more; the case goes on.
        let _ = writeln!(out, $($argument)*);
    }};
}
pub(crate) use say;

/// What is demanded of Innkeeper as a whole, in its order: a number and a few words. Each has one line of evidence, which
/// the case that shows it gives (`World::shows`).
pub const DEMANDS: [(&str, &str); 12] = [
    ("S1", "booked"),
    ("S2", "cancelled"),
    ("S3", "rolled back"),
    ("S4", "My Page apart from the write side"),
    ("S5", "one entry point"),
    ("S6", "every step an event"),
    ("S7", "the image"),
    ("S8", "the install"),
    ("S9", "pods added under load and removed"),
    ("S10", "a ConfigMap's change without a new image"),
    ("S11", "the archive equal from every replica"),
    ("S12", "a rollout under load"),
];
