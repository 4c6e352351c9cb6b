# make            the library and the program
# make demo       the main job on the pictures in examples/, with a table at the end
# make check      every test;  SAN=1 under sanitizers, ONEDNN=DIR against another oneDNN, CC=clang
# make fuzz       each fuzz target for SECONDS (60) seconds
# make bench      speed beside PyTorch, TensorFlow, ONNX Runtime and OpenVINO, where they are installed
# make bench-detect how good detectors become, and what is left when one is pruned: DATA, SETS (vehicles masks), SEEDS (1 2 3), OUT; takes hours
# make install    to PREFIX (/usr/local), under its own name and the original's
#
# Layers, lowest first. A layer is compiled with only itself and the layers below it on its
# include path: including something from above does not compile. cmd/ sees only tlc.h.
LAYERS := base dist spec tensor wire dnn kernel op graph pass image data net train api

CC      ?= cc
PREFIX  ?= /usr/local
OPT     ?= -O2 -g
OPENMP  ?= -fopenmp
FUZZCC  ?= clang
SECONDS ?= 60
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wdouble-promotion \
           -Wstrict-prototypes -Wmissing-prototypes -Wformat-security -Werror
CFLAGS  += $(OPT) -std=c11 -D_GNU_SOURCE $(WARN) $(OPENMP) -MMD -MP -Iinclude
LDLIBS  += -ldnnl -ljpeg -lpng -lcairo -lprotobuf-c -lsodium -ljansson -lexpat -lpthread -lm
LDFLAGS += $(OPENMP)
B       := build
ifdef ONEDNN
B       := build-onednn
CFLAGS  += -I$(ONEDNN)/include
LDFLAGS += -L$(ONEDNN)/lib -Wl,-rpath,$(abspath $(ONEDNN))/lib
endif
ifdef SAN
B       := $(B)-san
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
# Checks inside a loop keep clang from vectorizing it, which it would complain about.
CFLAGS  += $(if $(findstring clang,$(CC)),-Wno-pass-failed)
endif
ifneq ($(CC),cc)
B       := $(B)-$(notdir $(CC))
endif

upto = $(if $(filter $(1),$(firstword $(2))),$(1),$(firstword $(2)) $(call upto,$(1),$(wordlist 2,99,$(2))))
rwildcard = $(foreach d,$(wildcard $(1)/*),$(call rwildcard,$(d))$(filter %.c,$(d)))
layer = $(word 2,$(subst /, ,$(1)))

# Vector kernels: each file of lib/kernel/simd is compiled once per instruction set, and twice more for maps of bf16: multiplied as
# floats (widened), and in pairs as they are (bf16).
ISAS     := base
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
ISAS     := base avx2 avx512 widened bf16
endif
ISA_base   := -DTL_VEC=4
ISA_avx2   := -DTL_VEC=8 -mavx2 -mfma -mf16c
ISA_avx512 := -DTL_VEC=16 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mf16c -mprefer-vector-width=512
ISA_widened := $(ISA_avx512) -mavx512bf16 -DTL_BF16_MAPS
ISA_bf16   := $(ISA_widened) -DTL_BF16_PRODUCTS
SIMD     := $(wildcard lib/kernel/simd/*.c)
SIMDOBJ  := $(foreach i,$(ISAS),$(SIMD:%.c=$(B)/%.$(i).o))

PROTO    := $(wildcard lib/wire/*.proto)
GEN      := $(PROTO:%.proto=$(B)/gen/%.pb-c.c)
SRC      := $(filter-out $(SIMD),$(foreach l,$(LAYERS),$(call rwildcard,lib/$(l)))) $(wildcard lib/*.c)
LIBOBJ   := $(SRC:%.c=$(B)/%.o) $(GEN:%.c=%.o) $(SIMDOBJ) $(B)/gen/models_index.o
CMDOBJ   := $(patsubst %.c,$(B)/%.o,$(wildcard cmd/*.c))
TESTS    := $(patsubst %.c,$(B)/%,$(wildcard test/test_*.c))
BENCHES  := $(patsubst %.c,$(B)/%,$(wildcard bench/bench_*.c))
FUZZERS  := $(patsubst fuzz/%.c,%,$(wildcard fuzz/fuzz_*.c))
# Many processes: a shared object that the program loads when asked to, where there is an MPI to build it with.
MPICC    ?= mpicc
MPI      := $(if $(shell command -v $(MPICC)),$(B)/tlc-mpi.so)

all: $(B)/tlc $(MPI)

$(B)/libtlc.a: $(LIBOBJ)
	@rm -f $@
	$(AR) rcs $@ $^
$(B)/tlc: $(CMDOBJ) $(B)/libtlc.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/tlc-mpi.so: mpi/tlc-mpi.c lib/dist/transport.h
	@mkdir -p $(@D)
	OMPI_CC=$(CC) MPICH_CC=$(CC) $(MPICC) $(OPT) -std=c11 $(WARN) -fPIC -shared -Ilib/dist -o $@ $<

$(B)/gen/lib/wire/%.pb-c.c: lib/wire/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=lib/wire --c_out=$(@D) $<
# The registry that is built in, as text.
$(B)/gen/models_index.c: models/index.json
	@mkdir -p $(@D)
	{ echo 'const char tl_models_index[] ='; sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $<; echo ';'; } > $@
$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) $(OPT) -std=c11 -I$(@D) -c -o $@ $<
$(B)/lib/wire/%.o: CFLAGS += -I$(B)/gen/lib/wire
$(filter $(B)/lib/wire/%,$(LIBOBJ)): | $(GEN)

.SECONDEXPANSION:
$(B)/lib/kernel/simd/%.o: lib/kernel/simd/$$(basename $$*).c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math $(ISA_$(subst .,,$(suffix $*))) -DTL_ISA=$(subst .,,$(suffix $*)) \
	  $(SIMDOPT) $(addprefix -Ilib/,base tensor kernel) -c -o $@ $<
$(B)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(addprefix -Ilib/,$(call upto,$(call layer,$<),$(LAYERS))) -c -o $@ $<
$(B)/cmd/%.o: cmd/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<
$(B)/test/%.o: test/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itest $(addprefix -Ilib/,$(LAYERS)) -I$(B)/gen/lib/wire -c -o $@ $<
$(B)/test/test_%: $(B)/test/test_%.o $(B)/libtlc.a
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$(B)/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(addprefix -Ilib/,$(LAYERS)) -c -o $@ $<
$(B)/bench/%: $(B)/bench/%.o $(B)/libtlc.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# One thread, for fuzzers want the same run for the same bytes: with libgomp clang makes no OpenMP code. It is the parsers that are fuzzed:
# kernels, with which clang takes very long, are left as they are (make check SAN=1 watches them).
FUZZ := build-fuzz
fuzz:
	@$(MAKE) --no-print-directory B=$(FUZZ) CC=$(FUZZCC) OPENMP='-fopenmp=libgomp -Wno-unknown-pragmas' SIMDOPT=-fno-sanitize=all \
	  OPT='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' $(FUZZERS:%=$(FUZZ)/fuzz/%)
	@for f in $(FUZZERS); do fuzz/run.sh $(FUZZ) $$f $(SECONDS) || exit 1; done
$(B)/fuzz/%.o: fuzz/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(addprefix -Ilib/,$(LAYERS)) -c -o $@ $<
$(B)/fuzz/%: $(B)/fuzz/%.o $(B)/libtlc.a
	$(CC) $(LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

deps:
	@tools/install-packages.sh

check: deps
	@$(MAKE) --no-print-directory -j2 all $(if $(TESTS),tests)
	@B=$(B) test/run.sh $(TESTS)
tests: $(TESTS)

bench: all $(BENCHES)
	@B=$(B) bench/run.sh

bench-detect: all
	@OUT="$(OUT)" SEEDS="$(SEEDS)" SETS="$(SETS)" bench/detect.sh $(B)/tlc $(or $(DATA),../shared/data)

demo: deps
	@$(MAKE) --no-print-directory -j2 all
	@examples/demo.sh $(B)/tlc

# Everything below DESTDIR/PREFIX. The other names are the original's; see 'tlc help'.
AT    := $(DESTDIR)$(PREFIX)
NAMES := tlt tlt-train tlt-evaluate tlt-prune tlt-infer tlt-export tlt-dataset-convert
install: all
	install -d $(AT)/bin $(AT)/include $(AT)/lib/pkgconfig $(AT)/share/man/man1 $(AT)/share/tlc/models
	install $(B)/tlc $(AT)/bin
	$(if $(MPI),install -d $(AT)/lib/tlc && install -m 644 $(MPI) $(AT)/lib/tlc)
	for name in $(NAMES); do ln -sf tlc $(AT)/bin/$$name; done
	install -m 644 $(B)/libtlc.a $(AT)/lib
	install -m 644 include/tlc.h $(AT)/include
	install -m 644 docs/man/*.1 $(AT)/share/man/man1
	install -m 644 models/* $(AT)/share/tlc/models
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: tlc' 'Description: Transfer Learning in C' \
	  "Version: $$($(B)/tlc --version | cut -d' ' -f2)" 'Cflags: -I$${prefix}/include' \
	  'Libs: -L$${prefix}/lib -ltlc -fopenmp $(LDLIBS)' > $(AT)/lib/pkgconfig/tlc.pc
uninstall:
	rm -f $(addprefix $(AT)/bin/,tlc $(NAMES)) $(AT)/lib/libtlc.a $(AT)/lib/pkgconfig/tlc.pc $(AT)/include/tlc.h
	rm -f $(addprefix $(AT)/share/man/man1/,$(notdir $(wildcard docs/man/*.1)))
	rm -rf $(AT)/share/tlc $(AT)/lib/tlc

clean:
	rm -rf build build-*

-include $(LIBOBJ:.o=.d) $(CMDOBJ:.o=.d) $(TESTS:=.d) $(BENCHES:=.d)
.PHONY: all deps check tests fuzz bench bench-detect demo install uninstall clean
.SECONDARY:
