# Written for GNU make 3.81, which macOS has. On Windows it needs the sh of Git.
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11 python py; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done),python3)
UV ?= $(or $(firstword $(wildcard $(BIN)/uv $(BIN)/uv.exe)),$(shell command -v uv),uvx uv)

.PHONY: help env lab run test check test-browser data bench bench-learning bench-jsb store release grade lock clean

help: ## muestra esta ayuda
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

env: ## prepara el entorno en .venv (los demás lo hacen solos)
	@$(PYTHON) scripts/make_env.py

lab: env ## abre JupyterLab en tu copia de las lecciones, mi_curso/
	$(BIN)/musiclab lab

run: env ## ejecuta una lección con otros parámetros: make run PARAMS="..."
	$(BIN)/musiclab run $(PARAMS)

# Three processes on two cores: one often waits for a browser or a box.
test: env ## pasa las pruebas: make test TESTS=tests/test_song.py
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(TESTS)

FAST := architecture instruments keys motifs song statistics fidelity environment
check: env ## mira el estilo y pasa las pruebas rápidas: menos de un minuto
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q $(FAST:%=tests/test_%.py)

test-browser: env ## prueba los cuadernos en un JupyterLab de verdad (hace falta Chromium)
	$(BIN)/python -m pytest tests/test_browser.py -rs

data: env ## construye los conjuntos de datos: make data DATASETS=bach
	$(BIN)/musiclab data $(DATASETS)

bench: env ## mide la velocidad al lado del tutorial original: una media hora
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/speed.py

bench-learning: env ## mide qué aprende cada red, y si escucha su ruido: una media hora
	$(BIN)/python benchmarks/learning.py
	$(BIN)/python benchmarks/noise.py

bench-jsb: env ## la tabla de los corales JSB: make bench-jsb DATA=carpeta
	$(BIN)/musiclab bench jsb --data "$(DATA)" --results benchmarks/results/jsb.csv --save runs/jsb/model.safetensors

store: env ## ejecuta los cuadernos y guarda sus salidas
	$(BIN)/musiclab store

release: env ## hace los ejercicios a partir de las soluciones: make release LESSONS="01 03"
	$(BIN)/musiclab release $(LESSONS)

grade: env ## califica una clase: make grade CLASS=entregas.zip LESSON=02 OUT=notas OPTIONS="--worksheet hoja.csv"
	$(BIN)/musiclab grade "$(CLASS)" --assignment "$(LESSON)" --out "$(OUT)" $(OPTIONS)

lock: ## fija de nuevo las versiones de pyproject.toml
	$(UV) lock && $(UV) export -q --frozen --all-groups --no-emit-project --no-header --format requirements.txt -o requirements.lock

clean: ## borra .venv y cachés, nunca Datasets, mi_curso ni runs
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis */__pycache__ */*/__pycache__
