//! A real browser: chromedriver as a child process, and windows of headless Chromium that it drives.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::PATIENCE;

/// What chromedriver says when it listens.
const LISTENS: &str = "started successfully on port ";

/// chromedriver. Ends with this value.
pub struct Driver {
    child: Child,
    url: String,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Width of the window, in CSS pixels.
    pub width: u32,
    /// Whether dark is preferred.
    pub dark: bool,
    /// Whether it is printed.
    pub paper: bool,
}

impl Look {
    /// A desk, in daylight.
    pub const DESK: Self = Self { width: 1280, dark: false, paper: false };
    /// A phone, in daylight.
    pub const PHONE: Self = Self { width: 390, dark: false, paper: false };
    /// A sheet of A4 within its margins, for somebody who prefers it dark: paper is white all the same.
    pub const PAPER: Self = Self { width: 718, dark: true, paper: true };
    /// All that pages are looked at in.
    pub const ALL: [Self; 4] =
        [Self::DESK, Self { dark: true, ..Self::DESK }, Self::PHONE, Self { dark: true, ..Self::PHONE }];

    /// For a file's name.
    pub fn name(self) -> String {
        if self.paper {
            return "paper".to_owned();
        }
        format!(
            "{}-{}",
            if self.width < 600 { "phone" } else { "desk" },
            if self.dark { "dark" } else { "light" }
        )
    }
}

/// A window of a browser of its own, with cookies of its own.
pub struct Window {
    client: Client,
    _profile: TempDir,
}

impl Driver {
    /// Starts it, on a free port.
    pub fn start() -> Self {
        let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let mut child = Command::new(program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver is there");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("chromedriver says where it listens").unwrap();
            if let Some((_, port)) = line.split_once(LISTENS) {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // Read on, or it would block once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// Opens a browser whose user reads this language.
    pub async fn open(&self, language: &str, look: Look) -> Window {
        let profile = TempDir::new().unwrap();
        let mut options = json!({
            "args": [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--hide-scrollbars",
                format!("--lang={language}"),
                format!("--user-data-dir={}", profile.path().display()),
            ],
            "prefs": { "intl.accept_languages": language },
        });
        if let Ok(chromium) = std::env::var("CHROMIUM") {
            options["binary"] = json!(chromium);
        }
        let capabilities: Capabilities = serde_json::from_value(json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        }))
        .unwrap();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&self.url).await.expect("chromium starts");
        let window = Window { client, _profile: profile };
        window.look(look).await;
        window
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that the protocol has no word for, and chromedriver has.
#[derive(Debug)]
struct Chrome {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Chrome {
    fn endpoint(
        &self,
        base: &reqwest::Url,
        session: Option<&str>,
    ) -> Result<reqwest::Url, <reqwest::Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &reqwest::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Window {
    /// Looks at pages like this from now on.
    pub async fn look(&self, look: Look) {
        let phone = look.width < 600;
        let (height, scale) = if phone { (844, 2) } else { (900, 1) };
        let metrics =
            json!({ "width": look.width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if look.dark { "dark" } else { "light" };
        // Without motion: a colour half-way from night to day is none of the page's own.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "media": if look.paper { "print" } else { "" }, "features": features }),
        )
        .await;
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Chrome { path: "goog/cdp/execute", body }).await.unwrap()
    }

    /// Goes to an address.
    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Where it is: path and query.
    pub async fn at(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// Waits until this is on the page, and gives it.
    pub async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no {css} on {}: {error}; it says {}", self.at().await, self.text().await),
        }
    }

    /// Clicks on what is found.
    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Clicks on a link or a button by what it says.
    pub async fn press(&self, says: &str) {
        let path = format!(
            "//*[self::a or self::button or self::summary][contains(normalize-space(.), \"{says}\")]"
        );
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        match found {
            Ok(element) => element.click().await.unwrap(),
            Err(error) => {
                panic!("nothing says {says} on {}: {error}; it says {}", self.at().await, self.text().await)
            }
        }
    }

    /// Types into a field, in place of what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Picks a day, as a date picker does: sets it, and tells the page.
    pub async fn pick(&self, css: &str, day: &str) {
        self.find(css).await;
        let script = "const field = document.querySelector(arguments[0]); field.value = arguments[1];\
                      field.dispatchEvent(new Event('change', { bubbles: true }));";
        self.run(script, vec![json!(css), json!(day)]).await;
    }

    /// What can be read.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : '';", Vec::new()).await;
        text.as_str().unwrap_or_default().replace(['\u{a0}', '\u{202f}'], " ")
    }

    /// Waits until this can be read.
    pub async fn wait_for(&self, what: &str) {
        let begun = Instant::now();
        while !self.text().await.contains(what) {
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "{} never says {what:?}: {}", self.at().await, self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until it is at an address that begins like this.
    pub async fn wait_at(&self, beginning: &str) {
        let begun = Instant::now();
        while !self.at().await.starts_with(beginning) {
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "never at {beginning}, but at {}: {}", self.at().await, self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        // While one page goes and the next comes there is none to run it in.
        let mut tries = 0;
        loop {
            match self.client.execute(script, arguments.clone()).await {
                Ok(value) => return value,
                Err(_) if tries < 20 => tries += 1,
                Err(error) => panic!("the script failed: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a script in the page that calls back with its answer.
    pub async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.unwrap()
    }

    /// What the browser complains of since it was last asked: scripts that fail, what a policy refuses.
    pub async fn complaints(&self) -> Vec<String> {
        let body = json!({ "type": "browser" });
        let entries = self.client.issue_cmd(Chrome { path: "se/log", body }).await.unwrap();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The whole page as a picture.
    pub async fn picture(&self) -> Vec<u8> {
        let shown = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        use_base64(shown["data"].as_str().unwrap_or_default())
    }

    /// What the page says at its top, and on its button to print: both are for the screen alone.
    pub async fn only_on_screen(&self) -> (String, String) {
        let script = "return ['.top .brand span', '[data-print]'].map((css) => document.querySelector(css).textContent);";
        let texts = self.run(script, Vec::new()).await;
        let text = |index: usize| texts[index].as_str().unwrap().trim().to_owned();
        (text(0), text(1))
    }

    /// Prints the page on A4, as the browser's own dialogue would: the PDF, and how many sheets it takes.
    pub async fn print(&self) -> (Vec<u8>, usize) {
        let sheet = json!({ "paperWidth": 8.27, "paperHeight": 11.69, "printBackground": false });
        let printed = self.devtools("Page.printToPDF", sheet).await;
        let bytes = use_base64(printed["data"].as_str().unwrap_or_default());
        let text = String::from_utf8_lossy(&bytes);
        let sheets = text.matches("/Type /Page").count() - text.matches("/Type /Pages").count();
        (bytes, sheets)
    }

    /// Ends it.
    pub async fn close(self) {
        self.client.close().await.unwrap();
    }
}

fn use_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
