//! The entry points that softgpu does not have, listed by `build.rs` from `symbols.txt`.

macro_rules! refused {
    ($name:ident) => {
        #[unsafe(no_mangle)]
        pub(super) extern "C" fn $name() -> i32 {
            crate::driver::abi::entry::unsupported(stringify!($name))
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/refused.rs"));
