//! `cudaDeviceProp`, put together from the driver's attributes.

use crate::abi::*;
use crate::context::known_device;
use crate::driver::Driver;

/// What a field of the structure holds.
#[derive(Clone, Copy)]
enum Field {
    /// An `int`: the driver's attribute of this number.
    Int(i32),
    /// A `size_t`: the same.
    Size(i32),
    /// An `int` that CUDA 12 has and CUDA 13 has not.
    Only12(i32),
    /// An `int` that CUDA 13 has and CUDA 12 has not.
    Only13(i32),
}

use Field::{Int, Only12, Only13, Size};

/// The fields after `totalGlobalMem`, in the structure's order; of `reserved` on, all are zeros. The numbers are those
/// of `CUdevice_attribute`, and of each array here the elements follow one another.
#[rustfmt::skip]
const FIELDS: &[Field] = &[
    // sharedMemPerBlock, regsPerBlock, warpSize, memPitch, maxThreadsPerBlock, maxThreadsDim, maxGridSize
    Size(8), Int(12), Int(10), Size(11), Int(1), Int(2), Int(3), Int(4), Int(5), Int(6), Int(7),
    // clockRate, totalConstMem, major, minor, textureAlignment, texturePitchAlignment, deviceOverlap
    Only12(13), Size(9), Int(75), Int(76), Size(14), Size(51), Only12(15),
    // multiProcessorCount, kernelExecTimeoutEnabled, integrated, canMapHostMemory, computeMode
    Int(16), Only12(17), Int(18), Int(19), Only12(20),
    // maxTexture1D, 1DMipmap, 1DLinear, 2D, 2DMipmap, 2DLinear, 2DGather
    Int(21), Int(77), Only12(69), Int(22), Int(23), Int(73), Int(74), Int(70), Int(71), Int(72), Int(45), Int(46),
    // maxTexture3D, 3DAlt, Cubemap, 1DLayered, 2DLayered, CubemapLayered
    Int(24), Int(25), Int(26), Int(47), Int(48), Int(49), Int(52), Int(42), Int(43), Int(27), Int(28), Int(29),
    Int(53), Int(54),
    // maxSurface1D, 2D, 3D, 1DLayered, 2DLayered, Cubemap, CubemapLayered, surfaceAlignment
    Int(55), Int(56), Int(57), Int(58), Int(59), Int(60), Int(61), Int(62), Int(63), Int(64), Int(65), Int(66),
    Int(67), Int(68), Size(30),
    // concurrentKernels, ECCEnabled, pciBusID, pciDeviceID, pciDomainID, tccDriver, asyncEngineCount, unifiedAddressing
    Int(31), Int(32), Int(33), Int(34), Int(50), Int(35), Int(40), Int(41),
    // memoryClockRate, memoryBusWidth, l2CacheSize, persistingL2CacheMaxSize, maxThreadsPerMultiProcessor
    Only12(36), Int(37), Int(38), Int(108), Int(39),
    // streamPrioritiesSupported, globalL1CacheSupported, localL1CacheSupported, sharedMemPerMultiprocessor
    Int(78), Int(79), Int(80), Size(81),
    // regsPerMultiprocessor, managedMemory, isMultiGpuBoard, multiGpuBoardGroupID, hostNativeAtomicSupported
    Int(82), Int(83), Int(84), Int(85), Int(86),
    // singleToDoublePrecisionPerfRatio, pageableMemoryAccess, concurrentManagedAccess, computePreemptionSupported
    Only12(87), Int(88), Int(89), Int(90),
    // canUseHostPointerForRegisteredMem, cooperativeLaunch, cooperativeMultiDeviceLaunch, sharedMemPerBlockOptin
    Int(91), Int(95), Only12(96), Size(97),
    // pageableMemoryAccessUsesHostPageTables, directManagedMemAccessFromHost, maxBlocksPerMultiProcessor
    Int(100), Int(101), Int(106),
    // accessPolicyMaxWindowSize, reservedSharedMemPerBlock, hostRegisterSupported, sparseCudaArraySupported
    Int(109), Size(111), Int(99), Int(112),
    // hostRegisterReadOnlySupported, timelineSemaphoreInteropSupported, memoryPoolsSupported, gpuDirectRDMASupported
    Int(113), Int(114), Int(115), Int(116),
    // gpuDirectRDMAFlushWritesOptions, gpuDirectRDMAWritesOrdering, memoryPoolSupportedHandleTypes
    Int(117), Int(118), Int(119),
    // deferredMappingCudaArraySupported, ipcEventSupported, clusterLaunch, unifiedFunctionPointers
    Int(121), Int(125), Int(120), Int(129),
    // deviceNumaConfig, deviceNumaId, mpsEnabled, hostNumaId, gpuPciDeviceID, gpuPciSubsystemID,
    // hostNumaMultinodeIpcSupported
    Only13(130), Only13(131), Only13(133), Only13(134), Only13(139), Only13(140), Only13(143),
];

/// Bytes of the structure.
const SIZE_12: usize = 1032;
const SIZE_13: usize = 1008;

/// The structure's bytes. (Each field lies at a multiple of its size.)
fn properties(driver: &Driver, device: i32, major: u32) -> Answer<Vec<u8>> {
    let (mut name, mut uuid, mut total) = ([0u8; 256], [0u8; 16], 0usize);
    driver.cuDeviceGetName(Room::of(&mut name), 256, device)?;
    driver.cuDeviceGetUuid_v2(Room::of(&mut uuid), device)?;
    driver.cuDeviceTotalMem_v2(Out::of(&mut total), device)?;
    let mut bytes = [&name[..], &uuid].concat();
    // luid and luidDeviceNodeMask are Windows'.
    bytes.resize(bytes.len() + 12, 0);
    put(&mut bytes, &total.to_le_bytes());
    for field in FIELDS {
        let (Int(attribute) | Size(attribute) | Only12(attribute) | Only13(attribute)) = *field;
        if matches!((field, major), (Only12(_), 13) | (Only13(_), 12)) {
            continue;
        }
        let mut value = 0;
        // A driver older than the attribute has not what it asks for.
        driver.cuDeviceGetAttribute(Out::of(&mut value), attribute, device).unwrap_or(());
        match field {
            Size(_) => put(&mut bytes, &(value as usize).to_le_bytes()),
            _ => put(&mut bytes, &value.to_le_bytes()),
        }
    }
    bytes.resize(if major == 12 { SIZE_12 } else { SIZE_13 }, 0);
    Ok(bytes)
}

fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    bytes.resize(bytes.len().next_multiple_of(field.len()), 0);
    bytes.extend(field);
}

fn give(out: Room, device: i32, major: u32) -> Answer {
    valid(out.is_given(), "no room for the properties")?;
    let bytes = properties(known_device(device)?, device, major)?;
    // SAFETY: the structure of that version has so many bytes.
    unsafe { out.write(&bytes) };
    Ok(())
}

// CUDA 12's headers call the second; what its library has under the first name is CUDA 11's structure.
entry!(cudaGetDeviceProperties, |out: Room, device: i32| {
    ensure(major() != 12, NOT_SUPPORTED, "the program was compiled with CUDA 11 or older; compile it with CUDA 12")?;
    give(out, device, 13)
});
entry!(cudaGetDeviceProperties_v2, |out: Room, device: i32| give(out, device, 12));

// The devices are all alike to a program that states wishes: the thread's own, or the first.
entry!(cudaChooseDevice, |device: Out<i32>, wishes: Given| {
    valid(wishes.is_given(), "no properties to look for")?;
    known_device(0)?;
    device.set(0)
});

/// `cudaChannelFormatDesc`.
#[repr(C)]
pub struct Channels {
    bits: [i32; 4],
    kind: i32,
}

#[unsafe(no_mangle)]
extern "C" fn cudaCreateChannelDesc(x: i32, y: i32, z: i32, w: i32, kind: i32) -> Channels {
    Channels { bits: [x, y, z, w], kind }
}
