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
