/* Sorts any table.sort by the clicked column; missing values stay last. Without it the table reads as printed. */
for(const table of document.querySelectorAll('table.sort')){
  const body=table.tBodies[0],heads=[...table.tHead.rows[0].cells];
  heads.forEach((head,i)=>{
    const kind=head.dataset.sort;
    if(kind==='no')return;
    const key=row=>{
      const cell=row.cells[i];
      if(kind==='text')return cell.textContent.trim();
      return cell.dataset.v?Number(cell.dataset.v):NaN;
    };
    const compare=kind==='text'?(a,b)=>a.localeCompare(b,document.documentElement.lang,{numeric:true}):(a,b)=>a-b;
    const button=document.createElement('button');
    button.type='button';button.append(...head.childNodes);head.append(button);
    button.addEventListener('click',()=>{
      const was=head.getAttribute('aria-sort'),up=was?was==='descending':kind==='text';
      heads.forEach(other=>other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort',up?'ascending':'descending');
      const missing=row=>kind==='number'&&Number.isNaN(key(row));
      const rows=[...body.rows].sort((a,b)=>missing(a)-missing(b)||(missing(a)?0:(up?1:-1)*compare(key(a),key(b))));
      body.append(...rows);
    });
  });
}
