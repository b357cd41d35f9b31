//! Looking at pages: what axe-core finds, what is wider than the window, what the browser complains of; and pictures.

use std::path::PathBuf;

use serde_json::Value;

use crate::chrome::{Look, Window};
use crate::scene::Scene;

/// axe-core, to be run in a page.
pub fn axe() -> String {
    let axe = std::env::var_os("INNKEEPER_AXE").map(PathBuf::from).expect("INNKEEPER_AXE names axe.min.js");
    std::fs::read_to_string(axe).unwrap()
}

/// Where pictures are kept, if they are.
fn pictures() -> Option<PathBuf> {
    std::env::var_os("INNKEEPER_PICTURES").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Keeps what was seen, where pictures are kept.
pub fn keep(file: &str, bytes: &[u8]) {
    if let Some(folder) = pictures() {
        std::fs::write(folder.join(file), bytes).unwrap();
    }
}

/// Goes to a page and looks at it.
pub async fn look_at(
    window: &Window,
    scene: &Scene,
    axe: &str,
    language: &str,
    name: &str,
    path: &str,
    found: &mut Vec<String>,
) {
    window.go(&scene.url(path)).await;
    window.find("h1").await;
    look_here(window, axe, language, name, found).await;
}

/// Looks at the page it is at, in every way.
pub async fn look_here(window: &Window, axe: &str, language: &str, name: &str, found: &mut Vec<String>) {
    // A page that answers with an error is what was asked for; whatever else the browser says is not.
    let complaints =
        window.complaints().await.into_iter().filter(|said| !said.contains("Failed to load resource"));
    found.extend(complaints.map(|said| format!("{name} ({language}): {said}")));
    for look in Look::ALL {
        look_like(window, axe, language, name, look, found).await;
    }
    window.look(Look::DESK).await;
}

/// Looks at the page it is at like this, and goes on looking so.
pub async fn look_like(
    window: &Window,
    axe: &str,
    language: &str,
    name: &str,
    look: Look,
    found: &mut Vec<String>,
) {
    window.look(look).await;
    let place = format!("{name} ({language}, {})", look.name());
    let wide = window.run("return [document.documentElement.scrollWidth, innerWidth];", Vec::new()).await;
    if wide[0].as_u64() > wide[1].as_u64() {
        found.push(format!("{place}: wider than the window: {wide}"));
    }
    let script = format!(
        "{axe}; const done = arguments[arguments.length - 1];\
         axe.run(document, {{ resultTypes: ['violations'] }}).then((r) => done(r.violations), (e) => done(String(e)));"
    );
    let violations = window.run_async(&script, Vec::new()).await;
    match violations.as_array() {
        Some(violations) => found.extend(violations.iter().map(|violation| told(&place, violation))),
        None => found.push(format!("{place}: axe-core did not run: {violations}")),
    }
    if pictures().is_some() {
        keep(&format!("{name}-{}-{}.png", &language[..2], look.name()), &window.picture().await);
    }
}

fn told(place: &str, violation: &Value) -> String {
    let empty = Vec::new();
    let nodes = violation["nodes"].as_array().unwrap_or(&empty);
    let nodes: Vec<String> =
        nodes.iter().take(3).map(|node| format!("{} {}", node["target"], node["failureSummary"])).collect();
    format!("{place}: {}: {}", violation["id"], nodes.join("; "))
}
