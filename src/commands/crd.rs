//! `innkeeper crd`.

use std::path::PathBuf;

use clap::Args;
use innkeeper_api::{crds_yaml, reference};

use super::Outcome;

/// Where the definitions go.
#[derive(Args)]
pub struct CrdArgs {
    /// Write one file per definition into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Print every field, its bounds and its meaning, as Markdown
    #[arg(long, conflicts_with = "output")]
    reference: bool,
}

/// Prints or writes the definitions, or prints what their fields mean.
pub fn run(args: &CrdArgs) -> Outcome {
    if args.reference {
        print!("{}", reference());
        return Ok(());
    }
    for (file, yaml) in crds_yaml()? {
        match &args.output {
            Some(folder) => {
                let path = folder.join(file);
                std::fs::write(&path, yaml).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
            }
            None => println!("---\n{}", yaml.trim_start_matches("---\n").trim_end()),
        }
    }
    Ok(())
}
