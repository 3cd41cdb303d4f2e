'use strict';
// Draws the plots of the report with Apache ECharts: colours from the style sheet, arrow keys walk
// through the points and say them, and printing draws light ones of the paper's width.
(() => {
  const plots = JSON.parse(document.getElementById('plots').textContent);
  const root = document.documentElement;
  const say = document.getElementById('say');
  const charts = new Map();
  const PAPER = 690;

  // the values are rounded to the currency's digits
  const money = new Intl.NumberFormat('en-US', { maximumFractionDigits: 8 });
  const price = new Intl.NumberFormat('en-US', { maximumFractionDigits: 8 });
  // as many digits as tell the ends of a narrow range apart
  const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 8 });
  const minus = text => text.replace('-', '\u2212');
  const inTrades = count => `${money.format(count)} trade${count === 1 ? '' : 's'}`;
  const day = at => new Date(at).toISOString().slice(0, 10);
  const minute = at => new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  const color = name => getComputedStyle(root).getPropertyValue('--' + name).trim();
  const result = value => ({ value, itemStyle: { color: color(value < 0 ? 'loss' : 'gain') } });

  // text only: names of symbols and strategies are anything a broker or user typed
  const box = lines => {
    const made = document.createElement('div');
    lines.forEach((line, index) => {
      const row = document.createElement(index ? 'div' : 'strong');
      row.textContent = line;
      made.append(row);
    });
    return made;
  };

  const axis = more => ({
    axisLine: { lineStyle: { color: color('line') } },
    axisTick: { show: false },
    axisLabel: { color: color('soft'), hideOverlap: true },
    splitLine: { lineStyle: { color: color('grid') } },
    ...more,
  });
  const values = more => axis({
    type: 'value',
    axisLabel: { color: color('soft'), formatter: value => minus(short.format(value)) },
    ...more,
  });
  const times = more => axis({ type: 'time', splitLine: { show: false }, ...more });
  const grid = more => ({
    left: 4, right: 12, top: 30, bottom: 4,
    outerBoundsMode: 'same', outerBoundsContain: 'axisLabel', ...more,
  });
  const base = describe => ({
    animation: false,
    useUTC: true,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: color('text') },
    legend: {
      top: 0, left: 0, icon: 'roundRect', itemWidth: 14, itemHeight: 4,
      textStyle: { color: color('text') }, inactiveColor: color('soft'),
    },
    axisPointer: { link: [{ xAxisIndex: 'all' }], lineStyle: { color: color('soft') } },
    tooltip: {
      trigger: 'axis', confine: true, backgroundColor: color('card'),
      borderColor: color('line'), textStyle: { color: color('text') },
      formatter: hits => box(describe([].concat(hits)[0])),
    },
  });
  // the wheel scrolls the page; with Ctrl it zooms, as pinching does
  const zoom = (axes, filterMode = 'none') => [{
    type: 'inside', xAxisIndex: axes, zoomOnMouseWheel: 'ctrl', moveOnMouseWheel: false, filterMode,
  }];

  // two curves above, the fall below the high beneath them
  const stacked = (upper, lower, describe) => ({
    ...base(describe),
    grid: [grid({ bottom: '36%' }), grid({ top: '70%' })],
    xAxis: [times({ gridIndex: 0, axisLabel: { show: false } }), times({ gridIndex: 1 })],
    yAxis: [
      values({ gridIndex: 0, scale: true }),
      // a curve that never fell leaves no range: zero on top then, too
      values({ gridIndex: 1, max: 0, min: range => (range.min < 0 ? null : -1), splitNumber: 2 }),
    ],
    dataZoom: zoom([0, 1]),
    series: [
      ...upper,
      {
        type: 'line', xAxisIndex: 1, yAxisIndex: 1, showSymbol: false,
        lineStyle: { width: 1.2, color: color('loss') }, itemStyle: { color: color('loss') },
        areaStyle: { color: color('loss'), opacity: 0.25 }, ...lower,
      },
    ],
  });
  const curve = (name, data, shade, more) => ({
    type: 'line', name, data, showSymbol: false, lineStyle: { width: 2, color: color(shade) },
    itemStyle: { color: color(shade) }, ...more,
  });

  const bars = (plot, lines, sideways) => {
    const names = axis({
      type: 'category', data: plot.ticks ?? plot.names, inverse: sideways,
      splitLine: { show: false },
      axisLabel: {
        color: color('soft'), hideOverlap: true, width: Math.min(240, innerWidth * 0.3),
        overflow: 'truncate',
      },
    });
    return {
      ...base(hit => lines(hit.dataIndex)),
      legend: { show: false },
      grid: grid({ top: 10 }),
      xAxis: sideways ? values({ splitNumber: innerWidth < 600 ? 3 : 5 }) : names,
      yAxis: sideways ? names : values(),
    };
  };
  const net = (plot, sideways) => {
    const lines = i => [
      plot.names[i], `net ${minus(money.format(plot.net[i]))}`,
      inTrades(plot.trades[i]) +
        (plot.rate[i] === null ? '' : `, ${money.format(plot.rate[i])} % won`),
    ];
    return {
      lines, count: plot.names.length,
      option: {
        ...bars(plot, lines, sideways),
        series: [{ type: 'bar', barMaxWidth: 26, data: plot.net.map(result) }],
      },
    };
  };

  const kinds = {
    equity(plot) {
      const at = list => plot.days.map((time, index) => [time, list[index]]);
      const lines = i => [
        day(plot.days[i]), `equity ${minus(money.format(plot.equity[i]))}`,
        `balance ${minus(money.format(plot.balance[i]))}`,
        `below the high ${money.format(Math.abs(plot.fall[i]))} %`,
      ];
      const upper = [
        curve('Equity', at(plot.equity), 'accent', { areaStyle: { opacity: 0.08 } }),
        curve('Balance', at(plot.balance), 'soft', { step: 'end', lineStyle: {
          width: 1.4, type: 'dashed', color: color('soft') } }),
      ];
      const lower = { name: 'Below the high, %', data: at(plot.fall) };
      return {
        lines, count: plot.days.length,
        option: stacked(upper, lower, hit => lines(hit.dataIndex)),
      };
    },
    curve(plot) {
      const lines = i => [
        minute(plot.points[i][0]), `running result ${minus(money.format(plot.points[i][1]))}`,
      ];
      const lone = plot.points.length < 3 ? { showSymbol: true, symbolSize: 9 } : {};
      const upper = [curve('Running net result', plot.points, 'accent',
        { areaStyle: { opacity: 0.08 }, ...lone })];
      const lower = { name: 'Below the high', data: plot.falls };
      const option = stacked(upper, lower, hit => (hit.seriesIndex
        ? [minute(hit.value[0]), `below the high ${money.format(Math.abs(hit.value[1]))}`]
        : lines(hit.dataIndex)));
      return { lines, count: plot.points.length, option };
    },
    distribution(plot) {
      const lines = i => [plot.names[i], inTrades(plot.trades[i])];
      const data = plot.trades.map((value, index) => ({
        value, itemStyle: { color: color(plot.gains[index] ? 'gain' : 'loss') },
      }));
      const option = bars(plot, lines);
      option.yAxis.minInterval = 1;
      return {
        lines, count: data.length,
        option: { ...option, series: [{ type: 'bar', barCategoryGap: '8%', data }] },
      };
    },
    symbols: plot => net(plot, true),
    hours: plot => net(plot),
    weekdays: plot => net(plot),
    tags: plot => net(plot, true),
    multiples: plot => kinds.distribution(plot),
    excursions(plot) {
      const lines = i => [
        plot.names[i], `against ${plot.points[i][0]} R, in favour ${plot.points[i][1]} R`,
        `result ${minus(String(plot.r[i]))} R`,
      ];
      const axisOf = (name, more) => values({
        min: 0, name, nameLocation: 'middle', nameTextStyle: { color: color('soft') },
        axisLabel: { color: color('soft'), formatter: value => `${value} R` }, ...more,
      });
      const data = plot.points.map((value, index) => {
        const won = plot.r[index] > 0;
        const shade = color(won ? 'gain' : 'loss');
        return { value, symbol: won ? 'circle' : 'diamond', itemStyle: { color: shade } };
      });
      return {
        lines, count: data.length,
        option: {
          ...base(hit => lines(hit.dataIndex)),
          legend: { show: false },
          tooltip: { ...base(hit => lines(hit.dataIndex)).tooltip, trigger: 'item' },
          grid: grid({ top: 24, bottom: 22 }),
          xAxis: axisOf('against', { nameGap: 26 }),
          yAxis: axisOf('in favour', { nameLocation: 'end', nameGap: 8 }),
          series: [{ type: 'scatter', symbolSize: 8, data, itemStyle: { opacity: 0.75 } }],
        },
      };
    },
    candles(plot) {
      const trades = plot.trades;
      const near = i => trades.filter(trade => trade.from === i || trade.to === i);
      const lines = i => {
        const [open, close, low, high] = plot.bars[i].map(value => price.format(value));
        return [
          minute(plot.times[i]), `open ${open}, high ${high}, low ${low}, close ${close}`,
          ...near(i).map(trade => trade.text),
        ];
      };
      const mark = (name, chosen, place, symbol, shade, more) => ({
        type: 'scatter', name, symbol, symbolSize: 11, z: 5,
        itemStyle: { color: color(shade), borderColor: color('card'), borderWidth: 1 },
        data: chosen.map(place), ...more,
      });
      const entry = trade => [trade.from, trade.open];
      const size = { symbolSize: 14 };
      // at first only as many bars as can be told apart
      const start = Math.max(0, 100 - (100 * 240) / plot.bars.length);
      return {
        zoom: [start, 100],
        lines, count: plot.bars.length,
        option: {
          ...base(hit => lines(hit.dataIndex)),
          legend: { ...base(() => []).legend, icon: undefined, itemHeight: 10 },
          tooltip: {
            ...base(() => []).tooltip,
            formatter: hits => {
              const all = [].concat(hits);
              const index = all[0].axisValue === undefined ? all[0].dataIndex : all[0].axisValue;
              return box(lines(Number(index)));
            },
          },
          grid: grid({ top: 34, bottom: 40 }),
          xAxis: axis({
            type: 'category', data: plot.times.map((_, index) => String(index)),
            splitLine: { show: false },
            axisLabel: {
              color: color('soft'), hideOverlap: true,
              formatter: index => day(plot.times[Number(index)]),
            },
            axisPointer: { label: { formatter: at => minute(plot.times[Number(at.value)]) } },
          }),
          yAxis: axis({
            type: 'value', scale: true,
            axisLabel: { color: color('soft'), formatter: value => price.format(value) },
          }),
          dataZoom: [
            { ...zoom([0], 'filter')[0], start, end: 100 },
            {
              type: 'slider', filterMode: 'filter', start, end: 100, height: 22, bottom: 4, borderColor: color('line'),
              brushSelect: false, showDetail: false,
              textStyle: { color: color('soft') },
            },
          ],
          series: [
            {
              type: 'candlestick', large: false, name: `${plot.symbol} ${plot.timeframe}`, data: plot.bars,
              itemStyle: {
                color: color('gain'), borderColor: color('gain'),
                color0: color('loss'), borderColor0: color('loss'), opacity: 0.75,
              },
            },
            {
              type: 'lines', coordinateSystem: 'cartesian2d', z: 4, silent: true,
              data: trades.map(trade => ({
                coords: [[trade.from, trade.open], [trade.to, trade.close]],
                lineStyle: {
                  color: color(trade.won ? 'gain' : 'loss'), width: 2, opacity: 1,
                  type: trade.won ? 'solid' : 'dashed',
                },
              })),
            },
            mark('Buy', trades.filter(trade => trade.buy), entry, 'triangle', 'accent',
              { ...size, symbolOffset: [0, 11] }),
            mark('Sell', trades.filter(trade => !trade.buy), entry, 'triangle', 'warn',
              { ...size, symbolRotate: 180, symbolOffset: [0, -11] }),
            mark('Exit', trades, trade => [trade.to, trade.close], 'circle', 'text',
              { symbolSize: 7 }),
          ],
        },
      };
    },
  };

  const draw = place => {
    const plot = plots[place.dataset.plot];
    const made = kinds[place.dataset.plot.replace(/\d+$/, '')](plot);
    let chart = charts.get(place);
    if (!chart) {
      chart = { drawn: echarts.init(place, null, { renderer: 'svg' }) };
      charts.set(place, chart);
    }
    Object.assign(chart, { zoom: [0, 100], at: -1, ...made });
    chart.drawn.setOption(made.option, true);
    chart.drawn.resize();
  };
  const drawAll = () => document.querySelectorAll('.plot').forEach(draw);

  const show = (chart, at) => {
    chart.at = Math.max(0, Math.min(chart.count - 1, at));
    chart.drawn.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: chart.at });
    say.textContent = chart.lines(chart.at).join(', ');
  };
  const zoomBy = (chart, factor) => {
    const [start, end] = chart.zoom;
    const middle = chart.at < 0 ? (start + end) / 2 : (100 * chart.at) / Math.max(1, chart.count - 1);
    const half = Math.min(50, Math.max(1, ((end - start) / 2) * factor));
    const from = Math.max(0, Math.min(100 - 2 * half, middle - half));
    chart.zoom = [from, from + 2 * half];
    chart.drawn.dispatchAction({ type: 'dataZoom', start: chart.zoom[0], end: chart.zoom[1] });
  };
  const keys = {
    ArrowRight: chart => show(chart, chart.at + 1),
    ArrowLeft: chart => show(chart, chart.at < 0 ? chart.count - 1 : chart.at - 1),
    PageDown: chart => show(chart, chart.at + 10),
    PageUp: chart => show(chart, chart.at - 10),
    Home: chart => show(chart, 0),
    End: chart => show(chart, chart.count - 1),
    '+': chart => zoomBy(chart, 0.5),
    '-': chart => zoomBy(chart, 2),
    Escape: chart => {
      chart.at = -1;
      zoomBy(chart, Infinity);
      chart.drawn.dispatchAction({ type: 'hideTip' });
    },
  };
  document.querySelectorAll('.plot').forEach(place => {
    place.addEventListener('keydown', event => {
      const act = keys[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act(charts.get(place));
    });
    new ResizeObserver(() => charts.get(place)?.drawn.resize()).observe(place);
  });

  const choose = document.getElementById('choose-symbol');
  choose?.addEventListener('change', () => {
    const place = document.getElementById('plot-candles');
    place.dataset.plot = choose.value;
    place.setAttribute('aria-label', plots[choose.value].label);
    draw(place);
  });

  const print = on => {
    if (root.classList.contains('printing') === on) return;
    root.classList.toggle('printing', on);
    document.querySelectorAll('.plot').forEach(place => {
      place.style.width = on ? `${place.closest('.pair, .halves') ? PAPER / 2 - 30 : PAPER - 24}px` : '';
    });
    drawAll();
  };
  addEventListener('beforeprint', () => print(true));
  addEventListener('afterprint', () => print(matchMedia('print').matches));
  matchMedia('print').addEventListener('change', event => print(event.matches));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  drawAll();
  root.dataset.drawn = charts.size;
})();
