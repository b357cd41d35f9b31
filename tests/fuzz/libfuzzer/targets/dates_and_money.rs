#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| innkeeper_fuzz::dates_and_money(input));
