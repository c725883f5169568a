//! mbarrier objects.

pub mod action;
pub mod arrive;
pub mod find;
pub mod operate;
pub mod syntax;
pub mod wait;
