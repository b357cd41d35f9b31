#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| innkeeper_fuzz::configuration(input));
