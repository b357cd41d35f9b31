//! The site in a real browser, on a real gateway, operator, issuer and payment provider over a real API server. `make
//! browser` runs it. Named alone (`make browser ONLY=race`), a case runs by itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    dead_code,
    reason = "what is not as expected here is a failed test, and what is shared with other tests is not all used"
)]

mod cases;
mod chrome;
mod gateway;
mod look;
mod past;
mod scene;
mod support;

use std::pin::Pin;
use std::sync::Arc;

use chrome::Driver;
use libtest_mimic::{Arguments, Failed, Trial};

type Run = for<'a> fn(&'a Driver) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! all {
    ($($name:ident),+ $(,)?) => {
        [$((stringify!($name), (|driver| Box::pin(cases::$name(driver))) as Run),)+]
    };
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Each case starts browsers; more than one at a time is slower, not faster.
    arguments.test_threads = Some(1);
    let cases: [(&str, Run); 7] = all![
        axe_finds_what_is_wrong,
        a_guest_books_follows_it_live_and_cancels,
        two_browsers_race_for_the_last_room,
        a_double_click_books_once,
        a_language_is_asked_for_and_chosen,
        nothing_is_found_on_any_page,
        past_stays_are_listed_and_their_receipts_are_fit_for_paper,
    ];
    let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    let driver = if arguments.list { None } else { Some(Arc::new(Driver::start())) };
    let trials = cases.into_iter().map(|(name, run)| {
        let (driver, runtime) = (driver.clone(), Arc::clone(&runtime));
        Trial::test(name, move || {
            let driver = driver.expect("not listing");
            let run = std::panic::AssertUnwindSafe(|| runtime.block_on(run(&driver)));
            std::panic::catch_unwind(run).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                Failed::from(text.unwrap_or_else(|| "it panicked".to_owned()))
            })
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(driver);
    conclusion.exit();
}
