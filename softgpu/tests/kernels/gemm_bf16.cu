typedef unsigned short u16; typedef unsigned int u32;
// C = A B in bf16 with float32 sums: 128x128 tile, eight warps of 64x32, cp.async into two buffers.
#define BM 128
#define BN 128
#define BK 32
__device__ __forceinline__ u32 sp(const void*p){return (u32)__cvta_generic_to_shared(p);}
__device__ __forceinline__ void cp16(void*d,const void*s){asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n"::"r"(sp(d)),"l"(s));}
extern "C" __global__ __launch_bounds__(256) void gemm_bf16(const u16*__restrict__ A,const u16*__restrict__ B,float*__restrict__ C,int M,int N,int K){
  __shared__ __align__(16) u16 As[2][BM][BK+8]; __shared__ __align__(16) u16 Bs[2][BK][BN+8];
  int tid=threadIdx.x, warp=tid>>5, lane=tid&31; int wm=warp>>2, wn=warp&3;
  int row0=blockIdx.y*BM, col0=blockIdx.x*BN;
  float acc[4][4][4]={};
  auto load=[&](int b,int k0){
    for(int i=0;i<2;i++){int e=tid+i*256; int r=e/4,c=(e%4)*8; cp16(&As[b][r][c],A+(size_t)(row0+r)*K+k0+c);}
    for(int i=0;i<2;i++){int e=tid+i*256; int r=e/16,c=(e%16)*8; cp16(&Bs[b][r][c],B+(size_t)(k0+r)*N+col0+c);}
    asm volatile("cp.async.commit_group;\n");
  };
  load(0,0);
  for(int k0=0,b=0;k0<K;k0+=BK,b^=1){
    if(k0+BK<K){load(b^1,k0+BK); asm volatile("cp.async.wait_group 1;\n");} else asm volatile("cp.async.wait_group 0;\n");
    __syncthreads();
    #pragma unroll
    for(int kk=0;kk<BK;kk+=16){
      u32 a[4][4],bb[4][2];
      #pragma unroll
      for(int i=0;i<4;i++){ u32 ad=sp(&As[b][wm*64+i*16+(lane&15)][kk+(lane>>4)*8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];\n":"=r"(a[i][0]),"=r"(a[i][1]),"=r"(a[i][2]),"=r"(a[i][3]):"r"(ad));}
      #pragma unroll
      for(int j=0;j<2;j++){ u32 ad=sp(&Bs[b][kk+(lane&15)][wn*32+j*16+(lane>>4)*8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];\n":"=r"(bb[2*j][0]),"=r"(bb[2*j][1]),"=r"(bb[2*j+1][0]),"=r"(bb[2*j+1][1]):"r"(ad));}
      #pragma unroll
      for(int i=0;i<4;i++)
      #pragma unroll
      for(int j=0;j<4;j++)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};\n"
          :"+f"(acc[i][j][0]),"+f"(acc[i][j][1]),"+f"(acc[i][j][2]),"+f"(acc[i][j][3]):"r"(a[i][0]),"r"(a[i][1]),"r"(a[i][2]),"r"(a[i][3]),"r"(bb[j][0]),"r"(bb[j][1]));
    }
    __syncthreads();
  }
  int g=lane>>2,t=lane&3;
  #pragma unroll
  for(int i=0;i<4;i++)
  #pragma unroll
  for(int j=0;j<4;j++){ int r=row0+wm*64+i*16+g,c=col0+wn*32+j*8+2*t;
    *(float2*)&C[(size_t)r*N+c]=make_float2(acc[i][j][0],acc[i][j][1]); *(float2*)&C[(size_t)(r+8)*N+c]=make_float2(acc[i][j][2],acc[i][j][3]);}
}
