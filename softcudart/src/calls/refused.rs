//! The entry points that softcudart does not have, listed by `build.rs` from `symbols.txt`.

macro_rules! refused {
    ($name:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> crate::abi::Code {
            crate::abi::unsupported(stringify!($name))
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/refused.rs"));
