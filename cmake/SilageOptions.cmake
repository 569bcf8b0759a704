# Options, warnings and sanitizers of our own targets: link silage_options.
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")

set(SILAGE_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined or thread")
option(SILAGE_FUZZ "build the fuzz targets (clang)" OFF)
option(SILAGE_COVERAGE "instrument for coverage (clang)" OFF)
option(SILAGE_WERROR "warnings are errors" OFF)

add_library(silage_options INTERFACE)
target_compile_definitions(silage_options INTERFACE _GNU_SOURCE SLG_VERSION="${PROJECT_VERSION}")
target_compile_options(silage_options INTERFACE
  $<$<COMPILE_LANGUAGE:C>:-include ${CMAKE_SOURCE_DIR}/base/banned.h>
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align -Wpointer-arith
  -Wundef -Wvla -Walloca -Wformat=2 -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough -Wwrite-strings
  -Wredundant-decls -Wframe-larger-than=16384
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  $<$<COMPILE_LANGUAGE:C>:-Wold-style-definition>
  $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:GNU>>:-Wduplicated-cond>
  $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:GNU>>:-Wlogical-op>)
find_package(Threads REQUIRED)
target_link_libraries(silage_options INTERFACE Threads::Threads m)
if(SILAGE_WERROR)
  target_compile_options(silage_options INTERFACE -Werror)
endif()
if(SILAGE_SANITIZE)
  target_compile_options(silage_options INTERFACE -fsanitize=${SILAGE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_compile_definitions(silage_options INTERFACE SLG_DEBUG SLG_SANITIZED)
  target_link_options(silage_options INTERFACE -fsanitize=${SILAGE_SANITIZE})
elseif(SILAGE_FUZZ)
  target_compile_options(silage_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_compile_definitions(silage_options INTERFACE SLG_DEBUG)
  target_link_options(silage_options INTERFACE -fsanitize=address,undefined)
else()
  target_compile_options(silage_options INTERFACE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  target_link_options(silage_options INTERFACE -Wl,-z,relro,-z,now)
endif()
if(SILAGE_COVERAGE)
  target_compile_options(silage_options INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(silage_options INTERFACE -fprofile-instr-generate)
endif()
