//! The configuration file.

use innkeeper_ops::config::Config;

/// A configuration is read, or refused in words. What is read is read again from what it is written as.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Config::parse(text) {
        Ok(config) => {
            let Ok(written) = serde_json::to_string(&config) else {
                panic!("it cannot be written: {config:?}")
            };
            match Config::parse(&written) {
                Ok(again) => assert_eq!(again, config),
                Err(why) => panic!("what was read is refused once it is written: {why}\n{written}"),
            }
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}
