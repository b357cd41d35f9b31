//! The documents: every command of README.md's tour does what the page says, and every link leads somewhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use innkeeper_api::Reason;
use innkeeper_testbed::ControlPlane;
use rstest::rstest;

use crate::support::hotel::Hotel;
use crate::support::{PROJECT, own_control_plane, run};

/// One command of a page and what it is said to print.
#[derive(Debug)]
struct Step {
    command: String,
    output: Vec<String>,
}

/// The commands in the `console` blocks of a page, in order.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            steps.push(Step { command: command.to_owned(), output: Vec::new() });
        } else if let (true, Some(step)) = (inside, steps.last_mut()) {
            step.output.push(line.to_owned());
        }
    }
    steps
}

/// Whether a line is what the page says; `...` stands for any text, and columns may be wider or narrower.
fn line_matches(said: &str, printed: &str) -> bool {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (said, printed) = (squeeze(said), squeeze(printed));
    let mut parts = said.split("...");
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(between) = last.replace(part) {
            let Some((_, after)) = rest.split_once(between) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// The same for all lines; a line of `...` alone stands for any number of them.
fn lines_match(said: &[String], printed: &[&str]) -> bool {
    match (said, printed) {
        ([], rest) => rest.is_empty(),
        ([any, more @ ..], rest) if any.trim() == "..." => {
            (0..=rest.len()).any(|skipped| lines_match(more, &rest[skipped..]))
        }
        ([first, more @ ..], [line, rest @ ..]) => line_matches(first, line) && lines_match(more, rest),
        (_, []) => false,
    }
}

#[rstest]
#[case::the_same(&["a  b"], &["a b"], true)]
#[case::another(&["a b"], &["a c"], false)]
#[case::more_than_said(&["a b"], &["a b c"], false)]
#[case::an_age(&["anna ..."], &["anna   12s"], true)]
#[case::an_id_in_the_middle(&["anna ... 36000"], &["anna pi_1 36000"], true)]
#[case::the_end_counts(&["anna ... 36000"], &["anna pi_1 0"], false)]
#[case::any_lines(&["a", "...", "z"], &["a", "b", "c", "z"], true)]
#[case::lines_missing(&["a", "...", "z"], &["a", "b"], false)]
#[case::a_line_too_many(&["a"], &["a", "b"], false)]
#[case::nothing(&[], &["a"], false)]
fn what_is_printed_is_compared_with_what_is_said(
    #[case] said: &[&str],
    #[case] printed: &[&str],
    #[case] same: bool,
) {
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert_eq!(lines_match(&said, printed), same);
}

/// `kubectl` of this control plane, in a shell that stands in the project's folder.
fn shell(control_plane: &ControlPlane, command: &str) -> Vec<String> {
    let kubectl = control_plane.kubectl();
    let folder = Path::new(kubectl.get_program()).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &format!("{command} 2>&1")])
        .current_dir(PROJECT)
        .env("PATH", path)
        .env("KUBECONFIG", control_plane.kubeconfig())
        .env("HOME", control_plane.folder().join("home"))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect()
}

/// What `make demo` leaves behind.
async fn play_the_demo(hotel: &Hotel, control_plane: &ControlPlane) {
    let apply = |file: &str| {
        run(control_plane.kubectl().args(["apply", "-f", &format!("{PROJECT}/examples/{file}")]))
    };
    apply("booked.yaml");
    hotel.settled("anna", Reason::Confirmed).await;
    apply("cancelled.yaml");
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.cancel("ben").await;
    hotel.settled("ben", Reason::Cancelled).await;
    apply("rolled-back.yaml");
    hotel.room_until("suite", |r| r.status.as_ref().is_some_and(|s| s.fewest_free == Some(0))).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;
}

/// A control plane of its own: the tour ends with uninstalling.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_readme_prints_what_the_readme_says() {
    let control_plane = own_control_plane();
    run(control_plane.kubectl().args(["apply", "-f", &format!("{PROJECT}/examples/hotel.yaml")]));
    let mut hotel = Hotel::open_on(&control_plane, "unused").await;
    "seaside".clone_into(&mut hotel.namespace);
    let operator = hotel.operator();
    play_the_demo(&hotel, &control_plane).await;

    let page = std::fs::read_to_string(format!("{PROJECT}/README.md")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 15, "the tour has {} commands", steps.len());
    for step in steps {
        // The one substitution: the demo's kubeconfig is this control plane's.
        if step.command.starts_with("export KUBECONFIG=") {
            continue;
        }
        let command = step.command.clone();
        let printed = tokio::task::block_in_place(|| shell(&control_plane, &command));
        let said: Vec<String> = step.output.iter().filter(|l| !l.trim().is_empty()).cloned().collect();
        let lines: Vec<&str> = printed.iter().map(String::as_str).filter(|l| !l.trim().is_empty()).collect();
        assert!(
            lines_match(&said, &lines),
            "$ {}\nREADME.md says:\n{}\nand it printed:\n{}",
            step.command,
            said.join("\n"),
            lines.join("\n")
        );
    }
    operator.stop().await;
    control_plane.stop();
}

/// The targets of a page's links.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// A heading as it is linked to.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let docs = std::fs::read_dir(format!("{PROJECT}/docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|is| is == "md"));
    let root = ["README.md", "CONTRIBUTING.md"].map(|name| PathBuf::from(PROJECT).join(name));
    let mut checked = 0;
    for file in root.into_iter().chain(docs) {
        let page = std::fs::read_to_string(&file).unwrap();
        for link in links(&page).filter(|link| !link.starts_with("http")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{} links to {link}, which does not exist", file.display());
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let found = text.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(found, "{} links to {link}, which has no such heading", file.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked} links");
}
