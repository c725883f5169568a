// C = A B, row-major, 64x64 tile, 4x4 a thread, 256 threads
#define BK 16
extern "C" __global__ __launch_bounds__(256) void sgemm(const float*__restrict__ A,const float*__restrict__ B,float*__restrict__ C,int M,int N,int K){
  __shared__ float As[BK][64]; __shared__ float Bs[BK][64];
  int tx=threadIdx.x%16, ty=threadIdx.x/16;
  int row0=blockIdx.y*64, col0=blockIdx.x*64;
  float acc[4][4]={};
  for(int k0=0;k0<K;k0+=BK){
    #pragma unroll
    for(int i=0;i<4;i++){int e=threadIdx.x+i*256;int r=e/BK,k=e%BK;As[k][r]=A[(row0+r)*K+k0+k];}
    #pragma unroll
    for(int i=0;i<4;i++){int e=threadIdx.x+i*256;int k=e/64,c=e%64;Bs[k][c]=B[(k0+k)*N+col0+c];}
    __syncthreads();
    #pragma unroll
    for(int k=0;k<BK;k++){
      float a[4],b[4];
      #pragma unroll
      for(int i=0;i<4;i++)a[i]=As[k][ty*4+i];
      #pragma unroll
      for(int j=0;j<4;j++)b[j]=Bs[k][tx*4+j];
      #pragma unroll
      for(int i=0;i<4;i++)
        #pragma unroll
        for(int j=0;j<4;j++)acc[i][j]+=a[i]*b[j];
    }
    __syncthreads();
  }
  for(int i=0;i<4;i++)for(int j=0;j<4;j++)C[(row0+ty*4+i)*N+col0+tx*4+j]=acc[i][j];
}
