//! Memory pools. Properties, attributes and places are the driver's, bit for bit.

use crate::abi::*;
use crate::context::{current, known_device};

entry!(cudaDeviceGetDefaultMemPool, |pool: Out<Handle>, device: i32| {
    known_device(device)?.cuDeviceGetDefaultMemPool(pool, device)
});
entry!(cudaDeviceGetMemPool, |pool: Out<Handle>, device: i32| known_device(device)?.cuDeviceGetMemPool(pool, device));
entry!(cudaDeviceSetMemPool, |device: i32, pool: Handle| known_device(device)?.cuDeviceSetMemPool(device, pool));

entry!(cudaMemPoolCreate, |pool: Out<Handle>, properties: Given| current()?.cuMemPoolCreate(pool, properties));
entry!(cudaMemPoolDestroy, |pool: Handle| current()?.cuMemPoolDestroy(pool));
entry!(cudaMemPoolTrimTo, |pool: Handle, keep: usize| current()?.cuMemPoolTrimTo(pool, keep));

entry!(cudaMemPoolGetAttribute, |pool: Handle, attribute: i32, value: Room| {
    current()?.cuMemPoolGetAttribute(pool, attribute, value)
});
entry!(cudaMemPoolSetAttribute, |pool: Handle, attribute: i32, value: Room| {
    current()?.cuMemPoolSetAttribute(pool, attribute, value)
});
entry!(cudaMemPoolGetAccess, |flags: Out<i32>, pool: Handle, place: Given| {
    current()?.cuMemPoolGetAccess(flags, pool, place)
});
entry!(cudaMemPoolSetAccess, |pool: Handle, descriptions: Given, count: usize| {
    current()?.cuMemPoolSetAccess(pool, descriptions, count)
});

entry!(cudaDeviceGetGraphMemAttribute, |device: i32, attribute: i32, value: Room| {
    known_device(device)?.cuDeviceGetGraphMemAttribute(device, attribute, value)
});
entry!(cudaDeviceSetGraphMemAttribute, |device: i32, attribute: i32, value: Room| {
    known_device(device)?.cuDeviceSetGraphMemAttribute(device, attribute, value)
});
entry!(cudaDeviceGraphMemTrim, |device: i32| known_device(device)?.cuDeviceGraphMemTrim(device));
