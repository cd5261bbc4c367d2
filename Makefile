# The way from a clone to a working tool. Everything is installed into .venv, here; needs only Python and make.

PYTHON ?= python3
JOBS ?= 2
DATA ?= ../shared
BUDGET ?= 150m
# another day, other patches; a run that is to go on on the next day needs the day it began
SEED ?= $(shell date +%Y%m%d)

VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint bench gpu improve constraints clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

install: $(INSTALLED) ## make the virtual environment and install everything for development

$(INSTALLED): pyproject.toml constraints.txt
	@echo 'Installing into $(VENV): some minutes the first time, and the only step that needs a network.'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install ## blur sample photos, restore them, print PSNR before and after
	$(RUN) -m benchmarks.demo

test: lint ## everything CI runs: style, types, tests
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses $(JOBS)

lint: install ## style and types only
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: install ## time the selective scan and the network on this machine
	$(RUN) -m benchmarks.scan
	$(RUN) -m benchmarks.network

gpu: ## check and time everything on this machine's GPU; needs only python3 with torch and triton
	$(PYTHON) -m benchmarks.gpu

improve: install ## train the bundled weights on for BUDGET, on DATA; keep what measures better
	$(MAKE) --jobs 2 improve-motion improve-defocus
	nice $(RUN) -m benchmarks.adopt runs/small-motion --data '$(DATA)'
	nice $(RUN) -m benchmarks.adopt runs/small-defocus --data '$(DATA)'
	rm -r runs/small-motion runs/small-defocus

# a network that has learnt already begins where the recipe's shares end
SHARES-motion := --set 'data.shares={motion=0.30,easy-motion=0.06,handheld=0.38,frames=0.18,unblurred=0.08}'

improve-%:
	nice $(RUN) -m deblur_cli train small-$* --data '$(DATA)' --budget $(BUDGET) \
		--init weights/algnet-small-$*.safetensors --learning-rate 6e-4 --seed $(SEED) \
		--set loss.deep_supervision=false $(SHARES-$*)

constraints: install ## write down the exact versions installed now
	(echo '# The exact versions that CI installs; written by: make constraints'; \
	 $(RUN) -m pip freeze --exclude-editable | sed 's/+cpu$$//') > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt
	@touch $(INSTALLED)

clean: ## remove the virtual environment, the demo's pictures and all caches
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
