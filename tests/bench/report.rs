//! What came out: one line a figure, with what is aimed at; as a table and as JSON.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::process;

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// Nothing: it is there to explain others.
    None,
}

impl Aim {
    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {most}"),
            Self::AtLeast(least) => format!("at least {least}"),
            Self::None => String::new(),
        }
    }

    /// As good as the aim, to the precision that the table shows.
    fn met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(value <= most + 0.000_5),
            Self::AtLeast(least) => Some(value + 0.000_5 >= least),
            Self::None => None,
        }
    }
}

/// Everything that was measured.
pub struct Report {
    kubernetes: String,
    load_before: f64,
    load_after: f64,
    begun: Timestamp,
    figures: Vec<(&'static str, String, f64, Aim)>,
    notes: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    /// Nothing yet.
    pub fn new(kubernetes: String) -> Self {
        let load = process::load_average();
        Self {
            kubernetes,
            load_before: load,
            load_after: load,
            begun: Timestamp::now(),
            figures: Vec::new(),
            notes: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// A figure, of which part.
    pub fn figure(&mut self, part: &'static str, what: &str, value: f64, aim: Aim) {
        eprintln!("bench:   {what}: {}", shown(value));
        self.figures.push((part, what.to_owned(), value, aim));
    }

    /// A sentence that explains figures.
    pub fn note(&mut self, what: String) {
        eprintln!("bench:   {what}");
        self.notes.push(what);
    }

    /// A part could not be measured.
    pub fn failed(&mut self, part: &str, why: &str) {
        self.failures.push(format!("{part}: {why}"));
    }

    /// Everything is measured.
    pub fn ends(&mut self) {
        self.load_after = process::load_average();
    }

    /// Whether every part could be measured.
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let mut out = format!(
            "\n{} UTC, Kubernetes {}, {} cores, load average {:.1} before and {:.1} after, {} s in all\n\n",
            self.begun.strftime("%Y-%m-%d %H:%M"),
            self.kubernetes,
            cores(),
            self.load_before,
            self.load_after,
            Timestamp::now().duration_since(self.begun).as_secs(),
        );
        out.push_str("| part | what | measured | aim | met |\n| --- | --- | --- | --- | --- |\n");
        for (part, what, value, aim) in &self.figures {
            let met = aim.met(*value).map_or("", |met| if met { "yes" } else { "no" });
            let _ = writeln!(out, "| {part} | {what} | {} | {} | {met} |", shown(*value), aim.text());
        }
        out.push('\n');
        for note in &self.notes {
            let _ = writeln!(out, "- {note}");
        }
        for failure in &self.failures {
            let _ = writeln!(out, "- NOT MEASURED: {failure}");
        }
        out
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|(part, what, value, aim)| {
                let aimed = match aim {
                    Aim::AtMost(most) => json!({ "atMost": most }),
                    Aim::AtLeast(least) => json!({ "atLeast": least }),
                    Aim::None => Value::Null,
                };
                json!({ "part": part, "what": what, "value": value, "aim": aimed, "met": aim.met(*value) })
            })
            .collect();
        json!({
            "begun": self.begun.to_string(),
            "kubernetes": self.kubernetes,
            "cores": cores(),
            "loadAverage": { "before": self.load_before, "after": self.load_after },
            "figures": figures,
            "notes": self.notes,
            "failures": self.failures,
        })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn shown(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

/// The value below which this share of all lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
